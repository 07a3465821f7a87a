set(here ${CMAKE_CURRENT_LIST_DIR})
set(libraries loglog::checkpoint loglog::models loglog::topology loglog::hdf5 loglog::files loglog::mpi)
loglog_add_test(checkpoint_test SOURCES ${here}/checkpoint_test.cpp LINK ${libraries})
loglog_add_test(checkpoint_layouts_test SOURCES ${here}/checkpoint_layouts_test.cpp LINK ${libraries} RANKS 1 2 4)

# What h5py, an independent reader, sees in a checkpoint that four ranks wrote.
add_executable(write_sample_checkpoint ${here}/write_sample_checkpoint.cpp)
target_link_libraries(write_sample_checkpoint PRIVATE loglog::options ${libraries})
find_program(LOGLOG_SYSTEM_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
if(LOGLOG_SYSTEM_PYTHON)
  add_test(NAME checkpoint_h5py_test
    COMMAND ${LOGLOG_SYSTEM_PYTHON} ${here}/checkpoint_h5py_test.py
      ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} 4 ${MPIEXEC_PREFLAGS} $<TARGET_FILE:write_sample_checkpoint>)
  set_tests_properties(checkpoint_h5py_test PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 60 PROCESSORS 4)
endif()
