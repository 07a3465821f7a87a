add_executable(gemm_bench gemm_bench.cpp)
set_target_properties(gemm_bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
target_link_libraries(gemm_bench PRIVATE loglog::options loglog::gemm loglog::measure benchmark::benchmark_main)
