add_executable(vector_decay_bench vector_decay_bench.cpp)
set_target_properties(vector_decay_bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
target_link_libraries(vector_decay_bench PRIVATE loglog::options loglog::kernels loglog::measure loglog::tensor
  loglog::base benchmark::benchmark)
