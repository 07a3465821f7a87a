# The records a run leaves: its folder, journal and curves, what it ran in, and the registry made again from them.
set(code_version ${CMAKE_CURRENT_BINARY_DIR}/code_version.cpp)
add_custom_target(loglog_code_version
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${code_version} -DSOURCE_DIR=${PROJECT_SOURCE_DIR} -DVERSION=${PROJECT_VERSION}
    -DFOLDERS=engine,distributed,experiments -DHEADER=experiments/run/environment.hpp -DFUNCTION=code_version
    -P ${PROJECT_SOURCE_DIR}/cmake/CodeVersion.cmake
  BYPRODUCTS ${code_version}
  COMMENT "Hashing the code that determines a run's numbers"
  VERBATIM)

loglog_add_library(run_records
  SOURCES ${CMAKE_CURRENT_LIST_DIR}/curves.cpp ${CMAKE_CURRENT_LIST_DIR}/environment.cpp
    ${CMAKE_CURRENT_LIST_DIR}/imported_folder.cpp ${CMAKE_CURRENT_LIST_DIR}/journal.cpp ${CMAKE_CURRENT_LIST_DIR}/journal_line.cpp
    ${CMAKE_CURRENT_LIST_DIR}/rebuild.cpp ${CMAKE_CURRENT_LIST_DIR}/run_folder.cpp ${code_version}
  LINK loglog::base loglog::import loglog::registry
  PRIVATE_LINK loglog::files loglog::hdf5 loglog::sqlite nlohmann_json::nlohmann_json fmt::fmt)
target_include_directories(loglog_run_records SYSTEM PRIVATE ${LOGLOG_XXHASH_INCLUDE})
string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/environment.cpp PROPERTIES COMPILE_DEFINITIONS
  "LOGLOG_BUILD_FLAGS=\"${CMAKE_BUILD_TYPE}: ${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${build_type}}\"")
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/journal_line.cpp ${CMAKE_CURRENT_LIST_DIR}/run_folder.cpp
  PROPERTIES COMPILE_DEFINITIONS XXH_INLINE_ALL)
