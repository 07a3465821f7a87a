loglog_add_test(performance_model_test
  SOURCES performance_model_test.cpp LINK loglog::performance_model loglog::estimate loglog::pipeline_parallel)
