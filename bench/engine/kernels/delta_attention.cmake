add_executable(delta_attention_bench delta_attention_bench.cpp)
set_target_properties(delta_attention_bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
target_link_libraries(delta_attention_bench
  PRIVATE loglog::options loglog::kernels loglog::measure loglog::base benchmark::benchmark)
