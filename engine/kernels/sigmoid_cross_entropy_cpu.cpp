#include <algorithm>
#include <cmath>

#include "engine/kernels/sigmoid_cross_entropy.hpp"

namespace loglog {

template <class T>
Cost cost(const SigmoidCrossEntropy<T>& k) {
    const auto count = static_cast<double>(k.z.size());
    return {.model_flops = 0,
            .hardware_flops = 8 * count,
            .bytes_read = 2 * count * sizeof(T),
            .bytes_written = static_cast<double>(k.dz.size() + 1) * sizeof(T)};
}

template <class T>
void run(CpuContext&, const SigmoidCrossEntropy<T>& k) {
    double sum = 0;
    for (std::size_t i = 0; i < k.z.size(); ++i) {
        const T z = k.z[i];
        // log(1 + exp(z)) - target z, with the exponent kept at or below 0.
        sum += static_cast<double>(std::max(z, T{0}) - z * k.target[i] + std::log1p(std::exp(-std::abs(z))));
        if (!k.dz.empty()) { k.dz[i] = T{1} / (T{1} + std::exp(-z)) - k.target[i]; }
    }
    k.loss[0] = static_cast<T>(sum);
}

template Cost cost(const SigmoidCrossEntropy<float>&);
template Cost cost(const SigmoidCrossEntropy<double>&);
template void run(CpuContext&, const SigmoidCrossEntropy<float>&);
template void run(CpuContext&, const SigmoidCrossEntropy<double>&);

}  // namespace loglog
