#include "engine/kernels/performer_features.hpp"

#include <cmath>

#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/performer_features_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_math-inl.hpp"
#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

template <class T>
T squared_length(const T* x, std::size_t count) {
    const hn::ScalableTag<T> d;
    auto sum = hn::Zero(d);
    for (std::size_t i = 0; i < count; i += hn::Lanes(d)) {
        const auto value = load_first(d, x + i, count - i);
        sum = hn::MulAdd(value, value, sum);
    }
    return lane_sum(d, sum);
}

template <class T>
T largest_exponent(const T* x, std::size_t count) {
    T largest = x[0];
    for (std::size_t i = 1; i < count; ++i) { largest = x[i] > largest ? x[i] : largest; }
    return largest;
}

/// features^-1/2 (exp(exponent) + floor)
template <class D>
HWY_INLINE hn::Vec<D> feature_of(D d, hn::Vec<D> exponent, hn::TFromD<D> factor) {
    const auto floor = hn::Set(d, static_cast<hn::TFromD<D>>(performer_floor));
    return hn::Mul(hn::Set(d, factor), hn::Add(vector_exp(d, exponent), floor));
}

template <class T>
T feature_factor(const PerformerSizes& s) {
    return static_cast<T>(1 / std::sqrt(static_cast<double>(s.features)));
}

template <class T>
void performer_forward_rows(const PerformerForward<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const auto& s = k.sizes;
    const T factor = feature_factor<T>(s);
    const T half = static_cast<T>(0.5 / std::sqrt(static_cast<double>(s.head_dim)));
    const auto most = hn::Set(d, static_cast<T>(performer_most_exponent));
    for (std::size_t index = begin * s.heads; index < end * s.heads; ++index) {
        const T* x = k.x.data + index / s.heads * k.x.token_stride + index % s.heads * s.head_dim;
        T* phi = k.phi + index * s.features;
        const bool is_key = k.side == PerformerSide::keys;
        // What a query's exponents share cancels against the largest.
        const auto off = hn::Set(d, is_key ? half * squared_length(x, s.head_dim) : largest_exponent(phi, s.features));
        for (std::size_t i = 0; i < s.features; i += hn::Lanes(d)) {
            const std::size_t count = s.features - i;
            auto exponent = hn::Sub(load_first(d, phi + i, count), off);
            if (is_key) { exponent = hn::Min(exponent, most); }
            store_first(feature_of(d, exponent, factor), d, phi + i, count);
        }
    }
}

// A query's largest exponent is taken off all of them, so its own gradient is minus the sum of the others.
template <class T>
void take_off_largest(const T* phi, T* gradient, std::size_t features, T total) {
    std::size_t largest = 0;
    for (std::size_t i = 1; i < features; ++i) { largest = phi[i] > phi[largest] ? i : largest; }
    gradient[largest] -= total;
}

template <class T>
void performer_backward_rows(const PerformerBackward<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const auto& s = k.sizes;
    const T factor = feature_factor<T>(s);
    const auto floor = hn::Set(d, static_cast<T>(performer_floor) * factor);
    const bool is_key = k.side == PerformerSide::keys;
    // Where the limit on exponents was met, nothing flows back.
    const auto limit = feature_of(d, hn::Set(d, static_cast<T>(performer_most_exponent)), factor);
    for (std::size_t index = begin * s.heads; index < end * s.heads; ++index) {
        const std::size_t row = index / s.heads, column = index % s.heads * s.head_dim;
        const T* x = k.x.data + row * k.x.token_stride + column;
        T* dx = k.dx.data + row * k.dx.token_stride + column;
        const T* phi = k.phi + index * s.features;
        T* gradient = k.gradient + index * s.features;
        auto sums = hn::Zero(d);
        for (std::size_t i = 0; i < s.features; i += hn::Lanes(d)) {
            const std::size_t count = s.features - i;
            const auto value = load_first(d, phi + i, count);
            auto g = hn::Mul(load_first(d, gradient + i, count), hn::Sub(value, floor));
            if (is_key) { g = hn::IfThenElseZero(hn::Lt(value, limit), g); }
            sums = hn::Add(sums, g);
            store_first(g, d, gradient + i, count);
        }
        const T total = lane_sum(d, sums);
        if (!is_key) { take_off_largest(phi, gradient, s.features, total); }
        const auto through_square = hn::Set(d, is_key ? -total / std::sqrt(static_cast<T>(s.head_dim)) : T{0});
        for (std::size_t i = 0; i < s.head_dim; i += hn::Lanes(d)) {
            store_first(hn::Mul(through_square, load_first(d, x + i, s.head_dim - i)), d, dx + i, s.head_dim - i);
        }
    }
}

Pieces<PerformerForward> performer_forward() { return {performer_forward_rows<float>, performer_forward_rows<double>}; }
Pieces<PerformerBackward> performer_backward() {
    return {performer_backward_rows<float>, performer_backward_rows<double>};
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(performer_forward);
HWY_EXPORT(performer_backward);

namespace {

double channels_of(const PerformerSizes& s) { return static_cast<double>(s.rows * s.heads * s.head_dim); }
double features_of(const PerformerSizes& s) { return static_cast<double>(s.rows * s.heads * s.features); }

}  // namespace

// An exponential counts as one.
template <class T>
Cost cost(const PerformerForward<T>& k) {
    const double channels = k.side == PerformerSide::keys ? channels_of(k.sizes) : 0;
    return {.model_flops = 0,
            .hardware_flops = 2 * channels + 5 * features_of(k.sizes),
            .bytes_read = sizeof(T) * (channels + features_of(k.sizes)),
            .bytes_written = sizeof(T) * features_of(k.sizes)};
}

template <class T>
Cost cost(const PerformerBackward<T>& k) {
    return {.model_flops = 0,
            .hardware_flops = channels_of(k.sizes) + 4 * features_of(k.sizes),
            .bytes_read = sizeof(T) * (channels_of(k.sizes) + 2 * features_of(k.sizes)),
            .bytes_written = sizeof(T) * (channels_of(k.sizes) + features_of(k.sizes))};
}

template <class T>
void run(CpuContext& cpu, const PerformerForward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(performer_forward)();
    cpu.for_each_range(k.sizes.rows, rows_per_piece(k.sizes.heads * k.sizes.features),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const PerformerBackward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(performer_backward)();
    cpu.for_each_range(k.sizes.rows, rows_per_piece(k.sizes.heads * k.sizes.features),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template Cost cost(const PerformerForward<float>&);
template Cost cost(const PerformerForward<double>&);
template Cost cost(const PerformerBackward<float>&);
template Cost cost(const PerformerBackward<double>&);
template void run(CpuContext&, const PerformerForward<float>&);
template void run(CpuContext&, const PerformerForward<double>&);
template void run(CpuContext&, const PerformerBackward<float>&);
template void run(CpuContext&, const PerformerBackward<double>&);

}  // namespace loglog
#endif
