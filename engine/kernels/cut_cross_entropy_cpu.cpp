#include "engine/kernels/cut_cross_entropy.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cut_cross_entropy_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_softmax-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

template <class T>
std::size_t local_columns(const CutLogits<T>& k) {
    return k.leaf_columns * k.leaf_count;
}

// How many of `columns` columns from token `first` on are tokens rather than padding.
template <class T>
std::size_t tokens_in(const CutLogits<T>& k, std::size_t first, std::size_t columns) {
    return first < k.vocab ? std::min(columns, k.vocab - first) : 0;
}

// The column of the row's target, or the number of columns where another rank has it.
template <class T>
std::size_t target_column(const CutLogits<T>& k, std::size_t row) {
    const auto target = static_cast<std::size_t>(k.targets[row]);
    const bool is_here = target >= k.first_token && target - k.first_token < local_columns(k);
    return is_here ? target - k.first_token : local_columns(k);
}

template <class T>
void cut_maxima_rows(const CutLogitMaxima<T>& k, std::size_t begin, std::size_t end) {
    const std::size_t columns = local_columns(k.logits);
    const std::size_t tokens = tokens_in(k.logits, k.logits.first_token, columns);
    for (std::size_t row = begin; row < end; ++row) {
        if (k.logits.targets[row] == -1) {
            k.largest[row] = 0;
        } else if (tokens == 0) {
            k.largest[row] = -std::numeric_limits<T>::infinity();
        } else {
            k.largest[row] = largest_of(k.logits.values.data() + row * columns, tokens);
        }
    }
}

// The sum of exponentials over `leaves` leaves from `first_leaf` on, as a tree over them. A leaf's own sum depends on
// its columns alone, not on which rank has it.
template <bool keep, class T>
T sum_leaves(const CutLogits<T>& k, T* logits, std::size_t first_leaf, std::size_t leaves, T largest) {
    if (leaves > 1) {
        const std::size_t half = leaves / 2;
        const T lower = sum_leaves<keep>(k, logits, first_leaf, half, largest);
        return lower + sum_leaves<keep>(k, logits, first_leaf + half, leaves - half, largest);
    }
    T* leaf = logits + first_leaf * k.leaf_columns;
    const std::size_t tokens = tokens_in(k, k.first_token + first_leaf * k.leaf_columns, k.leaf_columns);
    if constexpr (keep) { std::fill(leaf + tokens, leaf + k.leaf_columns, T{0}); }
    return sum_exponentials<keep>(leaf, tokens, k.scale, largest);
}

// Columns of tokens before the row's target whose logit is the largest of the row.
template <class T>
T count_earlier(const CutLogits<T>& k, std::size_t row, T largest) {
    const auto target = static_cast<std::size_t>(k.targets[row]);
    if (target <= k.first_token) { return 0; }
    const std::size_t columns = std::min(tokens_in(k, k.first_token, local_columns(k)), target - k.first_token);
    const T* logits = k.values.data() + row * local_columns(k);
    return static_cast<T>(std::count(logits, logits + columns, largest));
}

template <class T>
void cut_sums_rows(const CutLogitSums<T>& k, std::size_t begin, std::size_t end) {
    const std::size_t rows = k.logits.targets.size();
    const std::size_t columns = local_columns(k.logits);
    for (std::size_t row = begin; row < end; ++row) {
        T* logits = k.logits.values.data() + row * columns;
        k.sums[row] = 0;
        k.sums[rows + row] = 0;
        if (!k.earlier.empty()) { k.earlier[row] = 0; }
        if (k.logits.targets[row] == -1) { continue; }
        const std::size_t target = target_column(k.logits, row);
        if (target < columns) { k.sums[rows + row] = k.logits.scale * (logits[target] - k.largest[row]); }
        if (!k.earlier.empty()) { k.earlier[row] = count_earlier(k.logits, row, k.largest[row]); }
        k.sums[row] = k.keep ? sum_leaves<true>(k.logits, logits, 0, k.logits.leaf_count, k.largest[row])
                             : sum_leaves<false>(k.logits, logits, 0, k.logits.leaf_count, k.largest[row]);
    }
}

template <class T>
void cut_cross_entropy_rows(const CutCrossEntropy<T>& k, std::size_t begin, std::size_t end) {
    const std::size_t rows = k.logits.targets.size();
    const std::size_t columns = local_columns(k.logits);
    const bool training = k.gradient_scale != 0;
    for (std::size_t row = begin; row < end; ++row) {
        T* exponentials = k.logits.values.data() + row * columns;
        if (k.logits.targets[row] == -1) {
            k.loss[row] = 0;
            k.log_z[row] = 0;
            if (!k.correct.empty()) { k.correct[row] = 0; }
            if (training) { std::fill(exponentials, exponentials + columns, T{0}); }
            continue;
        }
        const T log_sum = std::log(k.sums[row]);
        const T log_z = k.logits.scale * k.largest[row] + log_sum;
        k.log_z[row] = log_z;
        k.loss[row] = log_sum - k.sums[rows + row];
        if (!k.correct.empty()) { k.correct[row] = k.sums[rows + row] == 0 && k.earlier[row] == 0 ? T{1} : T{0}; }
        if (training) {
            const T scale = k.gradient_scale * k.logits.scale;
            const std::size_t target = target_column(k.logits, row);
            scale_row(exponentials, columns, scale * (T{1} + 2 * k.z_loss * log_z) / k.sums[row]);
            if (target < columns) { exponentials[target] -= scale; }
        }
    }
}

Pieces<CutLogitMaxima> cut_maxima() { return {cut_maxima_rows<float>, cut_maxima_rows<double>}; }
Pieces<CutLogitSums> cut_sums() { return {cut_sums_rows<float>, cut_sums_rows<double>}; }
Pieces<CutCrossEntropy> cut_cross_entropy() { return {cut_cross_entropy_rows<float>, cut_cross_entropy_rows<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(cut_maxima);
HWY_EXPORT(cut_sums);
HWY_EXPORT(cut_cross_entropy);

template <class T>
Cost cost(const CutLogitMaxima<T>& k) {
    const double n = static_cast<double>(k.logits.values.size());
    const double rows = static_cast<double>(k.largest.size());
    return {.model_flops = 0,
            .hardware_flops = n,
            .bytes_read = sizeof(T) * n + sizeof(std::int32_t) * rows,
            .bytes_written = sizeof(T) * rows};
}

template <class T>
Cost cost(const CutLogitSums<T>& k) {
    const double n = static_cast<double>(k.logits.values.size());
    const double rows = static_cast<double>(k.largest.size());
    return {.model_flops = 0,
            .hardware_flops = 5 * n + 2 * rows,
            .bytes_read = sizeof(T) * (n + rows) + sizeof(std::int32_t) * rows,
            .bytes_written = sizeof(T) * ((k.keep ? n : 0) + 2 * rows + static_cast<double>(k.earlier.size()))};
}

template <class T>
Cost cost(const CutCrossEntropy<T>& k) {
    const double n = static_cast<double>(k.logits.values.size());
    const double rows = static_cast<double>(k.largest.size());
    const bool training = k.gradient_scale != 0;
    return {.model_flops = 0,
            .hardware_flops = (training ? n : 0) + (training ? 9 : 4) * rows,
            .bytes_read = sizeof(T) * ((training ? n : 0) + 3 * rows + static_cast<double>(k.earlier.size())) +
                          sizeof(std::int32_t) * rows,
            .bytes_written = sizeof(T) * ((training ? n : 0) + 2 * rows + static_cast<double>(k.correct.size()))};
}

template <class T>
void run(CpuContext& cpu, const CutLogitMaxima<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(cut_maxima)();
    cpu.for_each_range(k.largest.size(), rows_per_piece(k.logits.leaf_columns * k.logits.leaf_count),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const CutLogitSums<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(cut_sums)();
    cpu.for_each_range(k.largest.size(), rows_per_piece(k.logits.leaf_columns * k.logits.leaf_count),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const CutCrossEntropy<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(cut_cross_entropy)();
    cpu.for_each_range(k.largest.size(), rows_per_piece(k.logits.leaf_columns * k.logits.leaf_count),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template Cost cost(const CutLogitMaxima<float>&);
template Cost cost(const CutLogitMaxima<double>&);
template Cost cost(const CutLogitSums<float>&);
template Cost cost(const CutLogitSums<double>&);
template Cost cost(const CutCrossEntropy<float>&);
template Cost cost(const CutCrossEntropy<double>&);
template void run(CpuContext&, const CutLogitMaxima<float>&);
template void run(CpuContext&, const CutLogitMaxima<double>&);
template void run(CpuContext&, const CutLogitSums<float>&);
template void run(CpuContext&, const CutLogitSums<double>&);
template void run(CpuContext&, const CutCrossEntropy<float>&);
template void run(CpuContext&, const CutCrossEntropy<double>&);

}  // namespace loglog
#endif
