#include "engine/ops/delta_attention.hpp"

#include <string>

#include "engine/kernels/delta_attention.hpp"
#include "engine/ops/check_shape.hpp"

namespace loglog {
namespace {

void check_columns(const char* name, const Heads& heads, std::int64_t dim) {
    const auto end = heads.first_column + heads.heads * dim;
    if (heads.rows.shape.back() < end) {
        throw ShapeError{"delta_attention", name, heads.rows.shape, Shape{heads.rows.shape.rows(), end},
                         std::to_string(heads.heads) + " heads of " + std::to_string(dim) + " channels from column " +
                             std::to_string(heads.first_column) + " on"};
    }
}

void check_heads(const Heads& q, const Heads& k, const Heads& v, const LinearAttentionOptions& options) {
    const auto rows = q.rows.shape.rows();
    for (const auto& [name, heads] : {std::pair{"k", &k}, std::pair{"v", &v}}) {
        if (heads->rows.shape.rows() != rows || heads->heads != k.heads || heads->heads < 1 ||
            q.heads % heads->heads != 0) {
            throw ShapeError{"delta_attention", name, Shape{heads->rows.shape.rows(), heads->heads},
                             Shape{rows, k.heads},
                             "as many tokens as 'q' and a number of heads that divides its " + std::to_string(q.heads)};
        }
    }
    check_columns("q", q, options.key_dim);
    check_columns("k", k, options.key_dim);
    check_columns("v", v, options.value_dim);
}

void check_gates(const Heads& q, const Tensor& beta, const Tensor& g) {
    const Shape wanted{q.rows.shape.rows(), q.heads};
    detail::check_shape("delta_attention", "beta", beta, wanted, "one value per token and head of 'q'");
    if (g.data != nullptr) {
        detail::check_shape("delta_attention", "g", g, wanted, "one value per token and head of 'q'");
    }
}

void check(const Heads& q, const Heads& k, const Heads& v, const Tensor& beta, const Tensor& g,
           const LinearAttentionOptions& options) {
    const auto rows = q.rows.shape.rows();
    if (options.time < 1 || options.chunk < 1 || rows % options.time != 0) {
        throw ShapeError{"delta_attention", "q", q.rows.shape, Shape{options.time, q.rows.shape.back()},
                         "a whole number of sequences of that many tokens, in chunks of at least one"};
    }
    check_heads(q, k, v, options);
    check_gates(q, beta, g);
    if (!options.document_start.empty() && static_cast<std::int64_t>(options.document_start.size()) != rows) {
        throw ShapeError{"delta_attention", "document_start",
                         Shape{static_cast<std::int64_t>(options.document_start.size())}, Shape{rows},
                         "one place per token of 'q'"};
    }
}

DeltaAttentionSizes sizes_of(const Heads& q, const Heads& k, const LinearAttentionOptions& options) {
    return {.batch = static_cast<std::size_t>(q.rows.shape.rows() / options.time),
            .time = static_cast<std::size_t>(options.time),
            .heads = static_cast<std::size_t>(q.heads),
            .kv_heads = static_cast<std::size_t>(k.heads),
            .key_dim = static_cast<std::size_t>(options.key_dim),
            .value_dim = static_cast<std::size_t>(options.value_dim),
            .chunk = static_cast<std::size_t>(options.chunk)};
}

/// The states between chunks if a backward pass will read them; no data otherwise.
Tensor states_of(Tape& tape, const DeltaAttentionSizes& sizes, DType dtype) {
    if (!tape.recording() || sizes.saved_states() == 0) { return {}; }
    return tape.saved(Shape{static_cast<std::int64_t>(sizes.saved_states()), static_cast<std::int64_t>(sizes.key_dim),
                            static_cast<std::int64_t>(sizes.value_dim)},
                      dtype);
}

template <class T>
GradientTarget<T> gradient_if_needed(Tape& back, const Tensor& x) {
    return x.needs_gradient() ? back.gradient_of<T>(x) : GradientTarget<T>{{}, false};
}

}  // namespace

Tensor delta_attention(Tape& tape, const Heads& q, const Heads& k, const Heads& v, const Tensor& beta, const Tensor& g,
                       const LinearAttentionOptions& options) {
    check(q, k, v, beta, g, options);
    const auto dtype = q.rows.dtype;
    const DeltaAttentionSizes sizes = sizes_of(q, k, options);
    const Tensor states = states_of(tape, sizes, dtype);
    const Tensor out = tape.empty(Shape{q.rows.shape.rows(), q.heads * options.value_dim}, dtype);
    with_dtype(dtype, [&]<class T>(T) {
        const DeltaAttentionInputs<T> inputs{sizes,
                                             q.view<const T>(),
                                             k.view<const T>(),
                                             v.view<const T>(),
                                             beta.values<T>(),
                                             g.values<T>(),
                                             options.document_start,
                                             static_cast<T>(options.scale)};
        const Heads out_heads{out, 0, q.heads};
        launch(tape.context(), DeltaAttentionForward<T>{inputs, out_heads.view<T>(), states.values<T>()});
        tape.record([q, k, v, beta, g, inputs, states, out_heads](Tape& back) {
            const T* d_out = back.collected<T>(out_heads.rows).data();
            const auto dq = q.view_of(back.gradient_columns_of<T>(q.rows));
            const auto dk = k.view_of(back.gradient_columns_of<T>(k.rows));
            const auto dv = v.view_of(back.gradient_columns_of<T>(v.rows));
            const auto d_beta = gradient_if_needed<T>(back, beta);
            const auto d_g = gradient_if_needed<T>(back, g);
            launch(back.context(),
                   DeltaAttentionBackward<T>{inputs, states.values<T>(), out_heads.view_of(d_out), dq, dk, dv,
                                             d_beta.values, d_g.values, d_beta.accumulate, d_g.accumulate});
            back.retire(out_heads.rows);
            if (states.data != nullptr) { back.retire(states); }
        });
    });
    return out;
}

Tensor delta_attention_step(Tape& tape, const Heads& q, const Heads& k, const Heads& v, const Tensor& beta,
                            const Tensor& g, const LinearAttentionOptions& options, const Tensor& state) {
    check_heads(q, k, v, options);
    check_gates(q, beta, g);
    if (q.rows.shape.rows() != 1) {
        throw ShapeError{"delta_attention_step", "q", q.rows.shape, Shape{1, q.rows.shape.back()},
                         "one token of one sequence"};
    }
    detail::check_shape("delta_attention_step", "state", state, Shape{q.heads, options.key_dim, options.value_dim},
                        "one state per head of 'q'");
    const Tensor out = tape.empty(Shape{1, q.heads * options.value_dim}, q.rows.dtype);
    with_dtype(q.rows.dtype, [&]<class T>(T) {
        launch(tape.context(), DeltaAttentionStep<T>{.heads = static_cast<std::size_t>(q.heads),
                                                     .kv_heads = static_cast<std::size_t>(k.heads),
                                                     .key_dim = static_cast<std::size_t>(options.key_dim),
                                                     .value_dim = static_cast<std::size_t>(options.value_dim),
                                                     .q = q.view<const T>().data,
                                                     .k = k.view<const T>().data,
                                                     .v = v.view<const T>().data,
                                                     .beta = beta.values<T>(),
                                                     .g = g.values<T>(),
                                                     .state = state.values<T>(),
                                                     .out = out.values<T>().data(),
                                                     .scale = static_cast<T>(options.scale)});
    });
    return out;
}

}  // namespace loglog
