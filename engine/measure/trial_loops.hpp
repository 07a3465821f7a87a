#pragma once

#include <cstddef>

namespace loglog::detail {

/// Runs `steps` rounds of independent fused multiply-adds in registers and returns the FLOPs done. `sink` keeps the
/// compiler from dropping them.
double fma_rounds(std::size_t steps, float& sink);

/// a[i] = b[i] + scale * c[i] with vector instructions. The arrays do not overlap.
void triad(float* a, const float* b, const float* c, float scale, std::size_t count);

}  // namespace loglog::detail
