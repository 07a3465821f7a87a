loglog_add_test(divergence_test SOURCES divergence_test.cpp LINK loglog::training)
loglog_add_test(sample_test SOURCES sample_test.cpp LINK loglog::training)
loglog_add_test(training_session_test SOURCES training_session_test.cpp LINK loglog::training)
loglog_add_test(layout_matrix_test SOURCES layout_matrix_test.cpp LINK loglog::layout_trial RANKS 1 2 4 8 TIMEOUT 300)
