set(here ${CMAKE_CURRENT_LIST_DIR})
loglog_add_test(checkpoint_layouts_test
  SOURCES ${here}/checkpoint_layouts_test.cpp
  LINK loglog::checkpoint loglog::models loglog::topology loglog::hdf5 loglog::mpi RANKS 1 2 4)
