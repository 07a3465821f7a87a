loglog_add_test(gemm_test SOURCES gemm_test.cpp LINK loglog::gemm loglog::simd loglog::base)
