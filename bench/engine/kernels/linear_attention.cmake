add_executable(linear_attention_bench linear_attention_bench.cpp)
set_target_properties(linear_attention_bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
target_link_libraries(linear_attention_bench PRIVATE loglog::options loglog::kernels loglog::measure loglog::tensor
  loglog::base benchmark::benchmark)
