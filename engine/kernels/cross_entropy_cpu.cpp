#include "engine/kernels/cross_entropy.hpp"

#include <algorithm>
#include <cmath>

#include "engine/base/error.hpp"
#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cross_entropy_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_softmax-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

template <class T>
void cross_entropy_rows(const CrossEntropy<T>& k, std::size_t begin, std::size_t end) {
    for (std::size_t row = begin; row < end; ++row) {
        T* logits = k.logits.data() + row * k.vocab;
        if (k.targets[row] == -1) {
            k.loss[row] = 0;
            k.log_z[row] = 0;
            if (!k.correct.empty()) { k.correct[row] = 0; }
            for (std::size_t v = 0; v < k.vocab; ++v) { logits[v] = 0; }
            continue;
        }
        const auto target = static_cast<std::size_t>(k.targets[row]);
        LOGLOG_ASSERT(target < k.vocab);
        const bool training = k.gradient_scale != 0;
        const T target_logit = k.logit_scale * logits[target];
        const T largest = largest_of(logits, k.vocab);
        if (!k.correct.empty()) {
            const bool first =
                logits[target] == largest && std::find(logits, logits + target, largest) == logits + target;
            k.correct[row] = first ? T{1} : T{0};
        }
        const T sum = training ? sum_exponentials<true>(logits, k.vocab, k.logit_scale, largest)
                               : sum_exponentials<false>(logits, k.vocab, k.logit_scale, largest);
        const T log_z = k.logit_scale * largest + std::log(sum);
        k.log_z[row] = log_z;
        k.loss[row] = log_z - target_logit;
        if (training) {
            const T scale = k.gradient_scale * k.logit_scale;
            scale_row(logits, k.vocab, scale * (T{1} + 2 * k.z_loss * log_z) / sum);
            logits[target] -= scale;
        }
    }
}

Pieces<CrossEntropy> cross_entropy() { return {cross_entropy_rows<float>, cross_entropy_rows<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(cross_entropy);

template <class T>
Cost cost(const CrossEntropy<T>& k) {
    const double n = static_cast<double>(k.logits.size());
    const double rows = static_cast<double>(k.targets.size());
    const bool training = k.gradient_scale != 0;
    // Largest 1, exponential and sum 5, gradient 1 per logit; logarithm, loss and the target's gradient per row.
    return {.model_flops = 0,
            .hardware_flops = (training ? 7 : 6) * n + (training ? 8 : 3) * rows,
            .bytes_read = sizeof(T) * n + sizeof(std::int32_t) * rows,
            .bytes_written = sizeof(T) * ((training ? n : 0) + 2 * rows + static_cast<double>(k.correct.size()))};
}

template <class T>
void run(CpuContext& cpu, const CrossEntropy<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(cross_entropy)();
    cpu.for_each_range(k.targets.size(), rows_per_piece(k.vocab),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template Cost cost(const CrossEntropy<float>&);
template Cost cost(const CrossEntropy<double>&);
template void run(CpuContext&, const CrossEntropy<float>&);
template void run(CpuContext&, const CrossEntropy<double>&);

}  // namespace loglog
#endif
