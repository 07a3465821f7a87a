#pragma once

#include <span>

#include "engine/kernels/context.hpp"

namespace loglog {

/// The logarithm of a state's decay per head: g[t, h] = -exp(log_rate[h]) * softplus(x[t, h] + offset[h]) (Gu and Dao
/// 2023, arXiv:2312.00752, sec. 3.6; Dao and Gu 2024, arXiv:2405.21060).
template <class T>
struct DecayGateForward {
    std::span<const T> x;         // [rows, heads]
    std::span<const T> log_rate;  // [heads]
    std::span<const T> offset;    // [heads]
    std::span<T> g;               // [rows, heads]; may be x
};

/// dx = -dg exp(log_rate) sigmoid(x + offset); d_offset sums dx over rows, d_log_rate sums dg g. What is empty is not
/// wanted.
template <class T>
struct DecayGateBackward {
    std::span<const T> x;
    std::span<const T> log_rate;
    std::span<const T> offset;
    std::span<const T> g;
    std::span<const T> dg;
    std::span<T> dx;
    std::span<T> d_log_rate;
    std::span<T> d_offset;
    bool accumulate_dx;
    bool accumulate_d_log_rate;
    bool accumulate_d_offset;
};

template <class T>
Cost cost(const DecayGateForward<T>&);
template <class T>
Cost cost(const DecayGateBackward<T>&);
template <class T>
void run(CpuContext&, const DecayGateForward<T>&);
template <class T>
void run(CpuContext&, const DecayGateBackward<T>&);

}  // namespace loglog
