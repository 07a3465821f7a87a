loglog_add_test(divergence_test SOURCES divergence_test.cpp LINK loglog::training)
loglog_add_test(sample_test SOURCES sample_test.cpp LINK loglog::training)
loglog_add_test(generate_test SOURCES generate_test.cpp LINK loglog::training)
loglog_add_test(training_session_test SOURCES training_session_test.cpp LINK loglog::training)
loglog_add_test(layout_matrix_test SOURCES layout_matrix_test.cpp LINK loglog::layout_trial RANKS 1 2 4 8 TIMEOUT 300)
loglog_add_test(labelled_layouts_test
  SOURCES labelled_layouts_test.cpp LINK loglog::layout_trial loglog::training RANKS 1 2 4 TIMEOUT 300)
loglog_add_test(parallel_plan_test SOURCES parallel_plan_test.cpp LINK loglog::parallel_plan)
