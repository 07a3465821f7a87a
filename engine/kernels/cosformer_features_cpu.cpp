#include "engine/kernels/cosformer_features.hpp"

#include <cmath>
#include <numbers>

#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/cosformer_features_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

// In double, since angles of neighbours differ by little.
inline double angle_of(const CosformerSizes& s, std::span<const std::int32_t> document_start, std::size_t row) {
    auto place = static_cast<double>(s.first_position + row % s.time);
    if (!document_start.empty()) { place -= document_start[row]; }
    return std::numbers::pi * place / (2 * static_cast<double>(s.longest));
}

template <class T>
void cosformer_forward_rows(const CosformerForward<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const auto& s = k.sizes;
    for (std::size_t row = begin; row < end; ++row) {
        const double angle = angle_of(s, k.document_start, row);
        const auto cosine = hn::Set(d, static_cast<T>(std::cos(angle)));
        const auto sine = hn::Set(d, static_cast<T>(std::sin(angle)));
        for (std::size_t head = 0; head < s.heads; ++head) {
            const T* x = k.x.data + row * k.x.token_stride + head * s.head_dim;
            T* phi = k.phi + (row * s.heads + head) * 2 * s.head_dim;
            for (std::size_t i = 0; i < s.head_dim; i += hn::Lanes(d)) {
                const std::size_t count = s.head_dim - i;
                const auto value = load_first(d, x + i, count);
                // Written so that a NaN is kept.
                const auto positive = hn::IfThenZeroElse(hn::Lt(value, hn::Zero(d)), value);
                store_first(hn::Mul(positive, cosine), d, phi + i, count);
                store_first(hn::Mul(positive, sine), d, phi + s.head_dim + i, count);
            }
        }
    }
}

template <class T>
void cosformer_backward_rows(const CosformerBackward<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const auto& s = k.sizes;
    for (std::size_t row = begin; row < end; ++row) {
        const double angle = angle_of(s, k.document_start, row);
        const auto cosine = hn::Set(d, static_cast<T>(std::cos(angle)));
        const auto sine = hn::Set(d, static_cast<T>(std::sin(angle)));
        for (std::size_t head = 0; head < s.heads; ++head) {
            const T* x = k.x.data + row * k.x.token_stride + head * s.head_dim;
            const T* d_phi = k.d_phi + (row * s.heads + head) * 2 * s.head_dim;
            T* dx = k.dx.data + row * k.dx.token_stride + head * s.head_dim;
            for (std::size_t i = 0; i < s.head_dim; i += hn::Lanes(d)) {
                const std::size_t count = s.head_dim - i;
                const auto by_cosine = hn::Mul(cosine, load_first(d, d_phi + i, count));
                const auto both = hn::MulAdd(sine, load_first(d, d_phi + s.head_dim + i, count), by_cosine);
                const auto blocked = hn::Le(load_first(d, x + i, count), hn::Zero(d));
                store_first(hn::IfThenZeroElse(blocked, both), d, dx + i, count);
            }
        }
    }
}

Pieces<CosformerForward> cosformer_forward() { return {cosformer_forward_rows<float>, cosformer_forward_rows<double>}; }
Pieces<CosformerBackward> cosformer_backward() {
    return {cosformer_backward_rows<float>, cosformer_backward_rows<double>};
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(cosformer_forward);
HWY_EXPORT(cosformer_backward);

namespace {

double channels_of(const CosformerSizes& s) { return static_cast<double>(s.rows * s.heads * s.head_dim); }

}  // namespace

template <class T>
Cost cost(const CosformerForward<T>& k) {
    const double n = channels_of(k.sizes);
    return {.model_flops = 0, .hardware_flops = 3 * n, .bytes_read = sizeof(T) * n, .bytes_written = sizeof(T) * 2 * n};
}

template <class T>
Cost cost(const CosformerBackward<T>& k) {
    const double n = channels_of(k.sizes);
    return {.model_flops = 0, .hardware_flops = 4 * n, .bytes_read = sizeof(T) * 3 * n, .bytes_written = sizeof(T) * n};
}

template <class T>
void run(CpuContext& cpu, const CosformerForward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(cosformer_forward)();
    cpu.for_each_range(k.sizes.rows, rows_per_piece(k.sizes.heads * k.sizes.head_dim),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const CosformerBackward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(cosformer_backward)();
    cpu.for_each_range(k.sizes.rows, rows_per_piece(k.sizes.heads * k.sizes.head_dim),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template Cost cost(const CosformerForward<float>&);
template Cost cost(const CosformerForward<double>&);
template Cost cost(const CosformerBackward<float>&);
template Cost cost(const CosformerBackward<double>&);
template void run(CpuContext&, const CosformerForward<float>&);
template void run(CpuContext&, const CosformerForward<double>&);
template void run(CpuContext&, const CosformerBackward<float>&);
template void run(CpuContext&, const CosformerBackward<double>&);

}  // namespace loglog
#endif
