set(here ${CMAKE_CURRENT_LIST_DIR})
loglog_add_test(journal_test SOURCES ${here}/journal_test.cpp LINK loglog::run_records loglog::files)
loglog_add_test(curves_test SOURCES ${here}/curves_test.cpp LINK loglog::run_records loglog::files)
loglog_add_test(run_folder_test
  SOURCES ${here}/run_folder_test.cpp LINK loglog::run_records loglog::files nlohmann_json::nlohmann_json)
loglog_add_test(rebuild_test SOURCES ${here}/rebuild_test.cpp LINK loglog::run_records loglog::files SQLiteCpp)

# What h5py, an independent reader, sees in a curves.h5; made by the program write_sample_curves.
add_executable(write_sample_curves ${here}/write_sample_curves.cpp)
target_link_libraries(write_sample_curves PRIVATE loglog::run_records)
find_program(LOGLOG_SYSTEM_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
if(LOGLOG_SYSTEM_PYTHON)
  add_test(NAME curves_h5py_test
    COMMAND ${LOGLOG_SYSTEM_PYTHON} ${here}/curves_h5py_test.py $<TARGET_FILE:write_sample_curves>)
  set_tests_properties(curves_h5py_test PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 60)
endif()
