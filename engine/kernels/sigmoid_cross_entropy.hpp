#pragma once

#include <span>

#include "engine/kernels/context.hpp"

namespace loglog {

/// Binary cross entropy of p = sigmoid(z): *loss = -sum_i target_i log p_i + (1 - target_i) log(1 - p_i), computed from
/// z without overflow, and its gradient dz_i = p_i - target_i.
template <class T>
struct SigmoidCrossEntropy {
    std::span<const T> z;
    std::span<const T> target;  // in [0, 1]
    std::span<T> loss;          // one value
    std::span<T> dz;            // or empty
};

template <class T>
Cost cost(const SigmoidCrossEntropy<T>&);
template <class T>
void run(CpuContext&, const SigmoidCrossEntropy<T>&);

}  // namespace loglog
