#pragma once

#include <cstddef>
#include <span>

#include "engine/kernels/context.hpp"

namespace loglog {

/// y = scale * sigmoid(x)
template <class T>
struct SigmoidForward {
    std::span<const T> x;
    std::span<T> y;  // may be x
    T scale;
};

template <class T>
struct SigmoidBackward {
    std::span<const T> x;
    std::span<const T> dy;
    std::span<T> dx;  // may be dy
    T scale;
};

/// out = y * sigmoid(x): an output gate.
template <class T>
struct GatedForward {
    std::span<const T> y;
    std::span<const T> x;
    std::span<T> out;  // may be y
};

/// What is empty is not wanted. Where dy and dx are the same memory, dy is written first.
template <class T>
struct GatedBackward {
    std::span<const T> y;
    std::span<const T> x;
    std::span<const T> d_out;
    std::span<T> dy;
    std::span<T> dx;
    bool accumulate_dy;
    bool accumulate_dx;
};

/// y = x * sigmoid(x) on `width` neighbours in each of `rows` rows that are `stride`s apart.
template <class T>
struct SiluRows {
    const T* x;
    std::size_t x_stride;
    T* y;
    std::size_t y_stride;
    std::size_t rows;
    std::size_t width;
};

/// dx = dy (s + x s (1 - s)), overwritten; dy has y's stride and dx has x's.
template <class T>
struct SiluRowsBackward {
    const T* x;
    std::size_t x_stride;
    const T* dy;
    std::size_t y_stride;
    T* dx;
    std::size_t rows;
    std::size_t width;
};

template <class T>
Cost cost(const SigmoidForward<T>&);
template <class T>
Cost cost(const SigmoidBackward<T>&);
template <class T>
Cost cost(const GatedForward<T>&);
template <class T>
Cost cost(const GatedBackward<T>&);
template <class T>
Cost cost(const SiluRows<T>&);
template <class T>
Cost cost(const SiluRowsBackward<T>&);
template <class T>
void run(CpuContext&, const SigmoidForward<T>&);
template <class T>
void run(CpuContext&, const SigmoidBackward<T>&);
template <class T>
void run(CpuContext&, const GatedForward<T>&);
template <class T>
void run(CpuContext&, const GatedBackward<T>&);
template <class T>
void run(CpuContext&, const SiluRows<T>&);
template <class T>
void run(CpuContext&, const SiluRowsBackward<T>&);

}  // namespace loglog
