# loglog::simd: Highway, compiled for AVX-512, AVX2 and the plain baseline only. Every target that includes Highway links
# it, so that all of the program agrees on the set.
add_library(loglog_simd INTERFACE)
add_library(loglog::simd ALIAS loglog_simd)
target_link_libraries(loglog_simd INTERFACE hwy::hwy)
target_compile_definitions(loglog_simd INTERFACE "HWY_DISABLED_TARGETS=(HWY_SSSE3|HWY_SSE4)")

# Apart from loglog::kernels so that measuring and testing products needs nothing else.
loglog_add_library(kernel_context SOURCES context.cpp LINK OpenMP::OpenMP_CXX)
loglog_add_library(gemm SOURCES gemm_cpu.cpp gemm_float.cpp gemm_double.cpp LINK loglog::kernel_context
  PRIVATE_LINK loglog::simd)
