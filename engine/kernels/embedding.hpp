#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/kernels/context.hpp"

namespace loglog {

/// y[t] = scale * (token_table[tokens[t]] + position_table[first_position + t mod time]).
template <class T>
struct EmbeddingForward {
    std::span<const std::int32_t> tokens;  // [batch * time], each in [0, vocab)
    std::span<const T> token_table;        // [vocab, width]
    std::span<const T> position_table;     // [positions, width] or empty
    std::span<T> y;                        // [batch * time, width]
    std::size_t time;
    std::size_t width;
    T scale = 1;
    std::size_t first_position = 0;
};

/// Adds scale * dy to the rows of the tables' gradients, in token order (no atomics). Rows are added to what is there:
/// the caller zeroes the tables' gradients first where needed.
template <class T>
struct EmbeddingBackward {
    std::span<const std::int32_t> tokens;
    std::span<const T> dy;          // [batch * time, width]
    std::span<T> d_token_table;     // [vocab, width]
    std::span<T> d_position_table;  // [positions, width] or empty
    std::size_t time;
    std::size_t width;
    T scale = 1;
};

template <class T>
Cost cost(const EmbeddingForward<T>&);
template <class T>
Cost cost(const EmbeddingBackward<T>&);
template <class T>
void run(CpuContext&, const EmbeddingForward<T>&);
template <class T>
void run(CpuContext&, const EmbeddingBackward<T>&);

}  // namespace loglog
