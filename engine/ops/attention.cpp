#include "engine/ops/attention.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "engine/kernels/attention_moba.hpp"
#include "engine/ops/check_shape.hpp"

namespace loglog {
namespace {

void check_heads(const char* operation, const Heads& q, const Heads& k, const Heads& v) {
    const auto rows = q.rows.shape.rows();
    for (const auto& [name, heads] : {std::pair{"k", &k}, std::pair{"v", &v}}) {
        if (heads->rows.shape.rows() != rows || heads->heads != k.heads || q.heads % heads->heads != 0) {
            throw ShapeError{operation, name, Shape{heads->rows.shape.rows(), heads->heads}, Shape{rows, k.heads},
                             "as many tokens as 'q' and a number of heads that divides its " + std::to_string(q.heads)};
        }
    }
}

/// The mask must reach over `time` tokens.
void check_visibility(const char* operation, const Heads& q, const AttentionOptions& options, std::int64_t time) {
    if (options.mask != nullptr) {
        const Shape actual{static_cast<std::int64_t>(options.mask->heads()),
                           static_cast<std::int64_t>(options.mask->time())};
        if (actual.back() < time || (actual[0] != 1 && actual[0] != q.heads)) {
            throw ShapeError{operation, "mask", actual, Shape{q.heads, time}, "lists for 'q's heads and tokens"};
        }
    }
    const auto& moba = options.moba;
    if (moba.top_k < 0 || (moba.top_k > 0 && (moba.block < 1 || options.mask != nullptr))) {
        throw ShapeError{operation, "moba", Shape{moba.block, moba.top_k}, Shape{1, 1},
                         "tokens in a block and blocks per query, at least one each, and no mask"};
    }
}

void check(const Heads& q, const Heads& k, const Heads& v, const AttentionOptions& options) {
    check_heads("attention", q, k, v);
    const auto rows = q.rows.shape.rows();
    if (options.time < 1 || rows % options.time != 0) {
        throw ShapeError{"attention", "q", q.rows.shape, Shape{options.time, q.rows.shape.back()},
                         "a whole number of sequences of that many tokens"};
    }
    check_visibility("attention", q, options, options.time);
    const auto starts = static_cast<std::int64_t>(options.document_start.size());
    if (starts != 0 && starts != rows) {
        throw ShapeError{"attention", "document_start", Shape{starts}, Shape{rows}, "one place per token, or none"};
    }
}

AttentionSizes sizes_of(const Heads& q, const Heads& k, std::int64_t batch, const AttentionOptions& options,
                        std::int64_t time) {
    return {.batch = static_cast<std::size_t>(batch),
            .time = static_cast<std::size_t>(time),
            .heads = static_cast<std::size_t>(q.heads),
            .kv_heads = static_cast<std::size_t>(k.heads),
            .head_dim = static_cast<std::size_t>(options.head_dim)};
}

/// Room for the blocks that `rows` queries choose; they are 32-bit integers, as wide as a float.
Tensor chosen_blocks(Tape& tape, std::int64_t rows, std::int64_t heads, const AttentionOptions& options) {
    return options.moba.top_k == 0 ? Tensor{} : tape.saved(Shape{rows, heads, options.moba.top_k}, DType::float32);
}

std::span<std::int32_t> indices_of(const Tensor& chosen) {
    static_assert(sizeof(std::int32_t) == size_of(DType::float32));
    return {reinterpret_cast<std::int32_t*>(chosen.data), chosen.data == nullptr ? 0 : chosen.elements()};
}

AttentionVisibility visibility_of(const AttentionOptions& options, const Tensor& chosen) {
    return {.mask = options.mask,
            .document_start = options.document_start,
            .selection = {.block = static_cast<std::size_t>(options.moba.block),
                          .top_k = static_cast<std::size_t>(options.moba.top_k),
                          .blocks = indices_of(chosen)}};
}

}  // namespace

Tensor attention(Tape& tape, const Heads& q, const Heads& k, const Heads& v, const AttentionOptions& options) {
    check(q, k, v, options);
    const auto rows = q.rows.shape.rows();
    const auto sizes = sizes_of(q, k, rows / options.time, options, options.time);
    const Tensor lse = tape.saved(Shape{rows, q.heads}, q.rows.dtype);
    const Tensor chosen = chosen_blocks(tape, rows, q.heads, options);
    const auto visible = visibility_of(options, chosen);
    const Tensor out = tape.empty(Shape{rows, q.heads * options.head_dim}, q.rows.dtype);
    const Heads out_heads{out, 0, q.heads};
    with_dtype(q.rows.dtype, [&]<class T>(T) {
        const T scale = static_cast<T>(options.scale);
        if (options.moba.top_k > 0) {
            launch(tape.context(),
                   AttentionBlockChoice<T>{sizes, q.view<const T>(), k.view<const T>(), visible.selection.block,
                                           visible.selection.top_k, options.document_start, indices_of(chosen)});
        }
        launch(tape.context(),
               AttentionForward<T>{sizes, q.view<const T>(), k.view<const T>(), v.view<const T>(), out_heads.view<T>(),
                                   lse.values<T>(), scale, options.dropout, visible});
        tape.record([q, k, v, out_heads, lse, chosen, sizes, scale, dropout = options.dropout, visible](Tape& back) {
            const T* d_out = back.collected<T>(out_heads.rows).data();
            const auto dq = q.view_of(back.gradient_columns_of<T>(q.rows));
            const auto dk = k.view_of(back.gradient_columns_of<T>(k.rows));
            const auto dv = v.view_of(back.gradient_columns_of<T>(v.rows));
            launch(back.context(), AttentionBackward<T>{sizes, q.view<const T>(), k.view<const T>(), v.view<const T>(),
                                                        out_heads.view<const T>(), out_heads.view_of(d_out),
                                                        lse.values<T>(), dq, dk, dv, scale, dropout, visible});
            back.retire(out_heads.rows);
            back.retire(lse);
            if (chosen.data != nullptr) { back.retire(chosen); }
        });
    });
    return out;
}

Tensor attention_step(Tape& tape, const Heads& q, const Heads& k, const Heads& v, const AttentionOptions& options,
                      const Tensor& keys, const Tensor& values, std::int64_t position) {
    check_heads("attention_step", q, k, v);
    check_visibility("attention_step", q, options, position + 1);
    for (const auto& [name, cache] : {std::pair{"keys", &keys}, std::pair{"values", &values}}) {
        const Shape wanted{std::max(keys.shape[0], position + 1), k.heads, options.head_dim};
        if (cache->shape != wanted) {
            throw ShapeError{"attention_step", name, cache->shape, wanted, "a row per token up to this one"};
        }
    }
    const Tensor out = tape.saved(Shape{1, q.heads * options.head_dim}, q.rows.dtype);
    const Tensor chosen = chosen_blocks(tape, 1, q.heads, options);
    const auto sizes = sizes_of(q, k, 1, options, position + 1);
    with_dtype(q.rows.dtype, [&]<class T>(T) {
        const std::size_t row = sizes.kv_heads * sizes.head_dim;
        const std::size_t past = sizes.time - 1;
        const HeadsView<const T> cached_keys{reinterpret_cast<const T*>(keys.data), row};
        const HeadsView<const T> cached_values{reinterpret_cast<const T*>(values.data), row};
        if (!tape.counting()) {
            std::copy_n(k.view<const T>().data, row, keys.values<T>().data() + past * row);
            std::copy_n(v.view<const T>().data, row, values.values<T>().data() + past * row);
        }
        const auto visible = visibility_of(options, chosen);
        if (options.moba.top_k > 0) {
            launch(tape.context(), AttentionBlockChoice<T>{.sizes = sizes,
                                                           .q = q.view<const T>(),
                                                           .k = cached_keys,
                                                           .block = visible.selection.block,
                                                           .top_k = visible.selection.top_k,
                                                           .document_start = {},
                                                           .chosen = indices_of(chosen),
                                                           .first_query = past});
        }
        launch(tape.context(), AttentionDecode<T>{.heads = sizes.heads,
                                                  .kv_heads = sizes.kv_heads,
                                                  .head_dim = sizes.head_dim,
                                                  .length = sizes.time,
                                                  .q = {q.view<const T>().data, sizes.heads * sizes.head_dim},
                                                  .k_cache = {cached_keys.data, sizes.time * row},
                                                  .v_cache = {cached_values.data, sizes.time * row},
                                                  .out = out.values<T>(),
                                                  .scale = static_cast<T>(options.scale),
                                                  .visible = {.mask = visible.mask, .selection = visible.selection}});
    });
    return out;
}

}  // namespace loglog
