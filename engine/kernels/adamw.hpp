#pragma once

#include <span>

#include "engine/kernels/context.hpp"

namespace loglog {

/// One AdamW step on one parameter (Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2):
///   g = gradient_scale * gradient;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
///   value -= lr * weight_decay * value + lr * (m / correction1) / (sqrt(v / correction2) + epsilon)
/// where correction_i = 1 - b_i^step.
template <class T>
struct AdamW {
    std::span<T> value;
    std::span<const T> gradient;
    std::span<T> first_moment;
    std::span<T> second_moment;
    T lr;
    T weight_decay;
    T beta1;
    T beta2;
    T epsilon;
    T correction1;
    T correction2;
    T gradient_scale;
};

template <class T>
Cost cost(const AdamW<T>&);
template <class T>
void run(CpuContext&, const AdamW<T>&);

}  // namespace loglog
