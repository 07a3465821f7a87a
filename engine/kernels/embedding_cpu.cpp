#include "engine/base/error.hpp"
#include "engine/kernels/embedding.hpp"
#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/embedding_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

template <class T>
void embedding_forward_tokens(const EmbeddingForward<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const auto scale = hn::Set(d, k.scale);
    const bool positioned = !k.position_table.empty();
    for (std::size_t token = begin; token < end; ++token) {
        const auto id = static_cast<std::size_t>(k.tokens[token]);
        LOGLOG_ASSERT(id < k.token_table.size() / k.width);
        const T* row = k.token_table.data() + id * k.width;
        const T* position =
            positioned ? k.position_table.data() + (k.first_position + token % k.time) * k.width : nullptr;
        T* y = k.y.data() + token * k.width;
        for (std::size_t i = 0; i < k.width; i += hn::Lanes(d)) {
            const std::size_t count = k.width - i;
            auto value = load_first(d, row + i, count);
            if (positioned) { value = hn::Add(value, load_first(d, position + i, count)); }
            store_first(hn::Mul(scale, value), d, y + i, count);
        }
    }
}

// Columns [begin, end) of every row: a table's row may belong to many tokens, and their order must not change.
template <class T>
void embedding_backward_columns(const EmbeddingBackward<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const auto scale = hn::Set(d, k.scale);
    const bool positioned = !k.d_position_table.empty();
    for (std::size_t token = 0; token < k.tokens.size(); ++token) {
        const T* dy = k.dy.data() + token * k.width;
        T* row = k.d_token_table.data() + static_cast<std::size_t>(k.tokens[token]) * k.width;
        T* position = positioned ? k.d_position_table.data() + token % k.time * k.width : nullptr;
        for (std::size_t i = begin; i < end; i += hn::Lanes(d)) {
            const std::size_t count = end - i;
            const auto gradient = load_first(d, dy + i, count);
            store_first(hn::MulAdd(scale, gradient, load_first(d, row + i, count)), d, row + i, count);
            if (positioned) {
                store_first(hn::MulAdd(scale, gradient, load_first(d, position + i, count)), d, position + i, count);
            }
        }
    }
}

Pieces<EmbeddingForward> embedding_forward() {
    return {embedding_forward_tokens<float>, embedding_forward_tokens<double>};
}
Pieces<EmbeddingBackward> embedding_backward() {
    return {embedding_backward_columns<float>, embedding_backward_columns<double>};
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(embedding_forward);
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
Cost cost(const EmbeddingBackward<T>& k) {
    const double n = static_cast<double>(k.dy.size());
    const double tables = k.d_position_table.empty() ? 1 : 2;
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
void run(CpuContext& cpu, const EmbeddingBackward<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(embedding_backward)();
    constexpr std::size_t columns_per_piece = 32;
    cpu.for_each_range(k.width, columns_per_piece, [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template Cost cost(const EmbeddingForward<float>&);
template Cost cost(const EmbeddingForward<double>&);
template Cost cost(const EmbeddingBackward<float>&);
template Cost cost(const EmbeddingBackward<double>&);
template void run(CpuContext&, const EmbeddingForward<float>&);
template void run(CpuContext&, const EmbeddingForward<double>&);
template void run(CpuContext&, const EmbeddingBackward<float>&);
template void run(CpuContext&, const EmbeddingBackward<double>&);

}  // namespace loglog
#endif
