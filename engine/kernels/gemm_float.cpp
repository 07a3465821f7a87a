#include "engine/kernels/gemm.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/gemm_float.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/gemm_blocks-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

void multiply_float(CpuContext& cpu, const Gemm<float>& gemm) { multiply(cpu, gemm); }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(multiply_float);

template <>
void run(CpuContext& cpu, const Gemm<float>& gemm) {
    HWY_DYNAMIC_DISPATCH(multiply_float)(cpu, gemm);
}

}  // namespace loglog
#endif
