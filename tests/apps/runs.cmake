set(loglog_app ${PROJECT_SOURCE_DIR}/apps/loglog)
loglog_add_test(runs_output_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/runs_output_test.cpp ${loglog_app}/runs_output.cpp
  LINK loglog::registry fmt::fmt nlohmann_json::nlohmann_json)
loglog_add_test(runs_verb_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/runs_verb_test.cpp ${loglog_app}/runs_verb.cpp ${loglog_app}/runs_output.cpp
    ${loglog_app}/import_verb.cpp ${loglog_app}/runs_curves.cpp
  LINK loglog::import loglog::run_records loglog::files fmt::fmt nlohmann_json::nlohmann_json)
target_include_directories(runs_verb_test SYSTEM PRIVATE ${LOGLOG_CLI11_INCLUDE})
loglog_add_test(import_verb_test
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/import_verb_test.cpp ${loglog_app}/import_verb.cpp
  LINK loglog::import loglog::run_records loglog::files fmt::fmt nlohmann_json::nlohmann_json)
target_include_directories(import_verb_test SYSTEM PRIVATE ${LOGLOG_CLI11_INCLUDE})
