#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/kernels/context.hpp"

namespace loglog {

/// y[t] = scale * (token_table[tokens[t] - first_token] + position_table[first_position + t mod time]).
///
/// The table may be a part of a larger one. The row of a token outside of it is minus zero, which leaves the bits of
/// whatever another part has for that token as they are when both are added (plus zero would change minus zero).
template <class T>
struct EmbeddingForward {
    std::span<const std::int32_t> tokens;  // [batch * time]
    std::span<const T> token_table;        // [table rows, width]
    std::span<const T> position_table;     // [positions, width] or empty
    std::span<T> y;                        // [batch * time, width]
    std::size_t time;
    std::size_t width;
    T scale = 1;
    std::size_t first_position = 0;
    std::int32_t first_token = 0;
};

/// What EmbeddingForward does after the lookup, in place and with the same rounding:
/// y[r] = scale * (y[r] + position_table[first_position + (first_row + r) mod time]).
template <class T>
struct AddPositions {
    std::span<const T> position_table;  // [positions, width] or empty
    std::span<T> y;                     // [rows, width]
    std::size_t time;
    std::size_t width;
    T scale = 1;
    std::size_t first_position = 0;
    std::size_t first_row = 0;
};

/// Adds scale * dy to the rows of the tables' gradients, in token order (no atomics). Rows are added to what is there:
/// the caller zeroes the tables' gradients first where needed. Tokens outside the table's part are passed over.
template <class T>
struct EmbeddingBackward {
    std::span<const std::int32_t> tokens;
    std::span<const T> dy;          // [rows, width], one for each token
    std::span<T> d_token_table;     // [table rows, width] or empty
    std::span<T> d_position_table;  // [positions, width] or empty
    std::size_t time;
    std::size_t width;
    T scale = 1;
    std::int32_t first_token = 0;
    std::size_t first_row = 0;  // row r is at position (first_row + r) mod time
};

template <class T>
Cost cost(const EmbeddingForward<T>&);
template <class T>
Cost cost(const AddPositions<T>&);
template <class T>
Cost cost(const EmbeddingBackward<T>&);
template <class T>
void run(CpuContext&, const EmbeddingForward<T>&);
template <class T>
void run(CpuContext&, const AddPositions<T>&);
template <class T>
void run(CpuContext&, const EmbeddingBackward<T>&);

}  // namespace loglog
