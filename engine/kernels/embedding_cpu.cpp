#include "engine/kernels/embedding.hpp"

#include <algorithm>

#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/embedding_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

// The table's row of a token, or the number of rows where the token is not in this part of the table.
template <class T>
HWY_INLINE std::size_t row_of(std::int32_t token, std::int32_t first_token, std::span<const T> table,
                              std::size_t width) {
    const std::size_t rows = table.size() / width;
    const auto row = static_cast<std::size_t>(std::int64_t{token} - first_token);  // huge below the first token
    return row < rows ? row : rows;
}

// y = scale * (row + position), position may be null.
template <class T>
HWY_INLINE void add_position(const T* row, const T* position, T* y, std::size_t width, T factor) {
    const hn::ScalableTag<T> d;
    const auto scale = hn::Set(d, factor);
    for (std::size_t i = 0; i < width; i += hn::Lanes(d)) {
        const std::size_t count = width - i;
        auto value = load_first(d, row + i, count);
        if (position != nullptr) { value = hn::Add(value, load_first(d, position + i, count)); }
        store_first(hn::Mul(scale, value), d, y + i, count);
    }
}

template <class T>
void embedding_forward_tokens(const EmbeddingForward<T>& k, std::size_t begin, std::size_t end) {
    const bool positioned = !k.position_table.empty();
    const std::size_t rows = k.token_table.size() / k.width;
    for (std::size_t token = begin; token < end; ++token) {
        const std::size_t row = row_of(k.tokens[token], k.first_token, k.token_table, k.width);
        const T* position =
            positioned ? k.position_table.data() + (k.first_position + token % k.time) * k.width : nullptr;
        T* y = k.y.data() + token * k.width;
        if (HWY_UNLIKELY(row == rows)) {
            std::fill(y, y + k.width, -T{0});
            add_position(y, position, y, k.width, k.scale);
        } else {
            add_position(k.token_table.data() + row * k.width, position, y, k.width, k.scale);
        }
    }
}

template <class T>
void add_positions_rows(const AddPositions<T>& k, std::size_t begin, std::size_t end) {
    const bool positioned = !k.position_table.empty();
    for (std::size_t row = begin; row < end; ++row) {
        const std::size_t place = k.first_position + (k.first_row + row) % k.time;
        T* y = k.y.data() + row * k.width;
        add_position(y, positioned ? k.position_table.data() + place * k.width : nullptr, y, k.width, k.scale);
    }
}

// Columns [begin, end): sums += scale * dy
template <class T>
HWY_INLINE void add_columns(const T* dy, T* sums, std::size_t begin, std::size_t end, T factor) {
    const hn::ScalableTag<T> d;
    const auto scale = hn::Set(d, factor);
    for (std::size_t i = begin; i < end; i += hn::Lanes(d)) {
        const std::size_t count = end - i;
        const auto gradient = load_first(d, dy + i, count);
        store_first(hn::MulAdd(scale, gradient, load_first(d, sums + i, count)), d, sums + i, count);
    }
}

// Columns [begin, end) of every row: a table's row may belong to many tokens, and their order must not change.
template <class T>
void embedding_backward_columns(const EmbeddingBackward<T>& k, std::size_t begin, std::size_t end) {
    const bool positioned = !k.d_position_table.empty();
    const std::size_t rows = k.d_token_table.size() / k.width;
    for (std::size_t token = 0; token < k.tokens.size(); ++token) {
        const T* dy = k.dy.data() + token * k.width;
        const std::size_t row = row_of(k.tokens[token], k.first_token, std::span<const T>{k.d_token_table}, k.width);
        if (row < rows) { add_columns(dy, k.d_token_table.data() + row * k.width, begin, end, k.scale); }
        if (positioned) {
            T* position = k.d_position_table.data() + (k.first_row + token) % k.time * k.width;
            add_columns(dy, position, begin, end, k.scale);
        }
    }
}

Pieces<EmbeddingForward> embedding_forward() {
    return {embedding_forward_tokens<float>, embedding_forward_tokens<double>};
}
Pieces<AddPositions> add_positions() { return {add_positions_rows<float>, add_positions_rows<double>}; }
Pieces<EmbeddingBackward> embedding_backward() {
    return {embedding_backward_columns<float>, embedding_backward_columns<double>};
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(embedding_forward);
HWY_EXPORT(add_positions);
HWY_EXPORT(embedding_backward);

template <class T>
Cost cost(const EmbeddingForward<T>& k) {
    const double n = static_cast<double>(k.y.size());
    const double tables = k.position_table.empty() ? 1 : 2;
    return {.model_flops = 0,
            .hardware_flops = tables * n,
            .bytes_read = sizeof(T) * tables * n + sizeof(std::int32_t) * static_cast<double>(k.tokens.size()),
            .bytes_written = sizeof(T) * n};
}

template <class T>
Cost cost(const AddPositions<T>& k) {
    const double n = static_cast<double>(k.y.size());
    const double operands = k.position_table.empty() ? 1 : 2;
    return {.model_flops = 0,
            .hardware_flops = operands * n,
            .bytes_read = sizeof(T) * operands * n,
            .bytes_written = sizeof(T) * n};
}

template <class T>
Cost cost(const EmbeddingBackward<T>& k) {
    const double n = static_cast<double>(k.dy.size());
    const double tables = (k.d_token_table.empty() ? 0 : 1) + (k.d_position_table.empty() ? 0 : 1);
    return {.model_flops = 0,
            .hardware_flops = 2 * tables * n,
            .bytes_read = sizeof(T) * (1 + tables) * n + sizeof(std::int32_t) * static_cast<double>(k.tokens.size()),
            .bytes_written = sizeof(T) * tables * n};
}

template <class T>
void run(CpuContext& cpu, const EmbeddingForward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(embedding_forward)();
    cpu.for_each_range(k.tokens.size(), rows_per_piece(k.width),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const AddPositions<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(add_positions)();
    cpu.for_each_range(k.y.size() / k.width, rows_per_piece(k.width),
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const EmbeddingBackward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(embedding_backward)();
    constexpr std::size_t columns_per_piece = 32;
    cpu.for_each_range(k.width, columns_per_piece, [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template Cost cost(const EmbeddingForward<float>&);
template Cost cost(const EmbeddingForward<double>&);
template Cost cost(const AddPositions<float>&);
template Cost cost(const AddPositions<double>&);
template Cost cost(const EmbeddingBackward<float>&);
template Cost cost(const EmbeddingBackward<double>&);
template void run(CpuContext&, const EmbeddingForward<float>&);
template void run(CpuContext&, const EmbeddingForward<double>&);
template void run(CpuContext&, const AddPositions<float>&);
template void run(CpuContext&, const AddPositions<double>&);
template void run(CpuContext&, const EmbeddingBackward<float>&);
template void run(CpuContext&, const EmbeddingBackward<double>&);

}  // namespace loglog
#endif
