#include "engine/ops/vector_decay_attention.hpp"

#include "engine/kernels/vector_decay_attention.hpp"
#include "engine/ops/check_shape.hpp"
#include "engine/ops/linear_checks.hpp"

namespace loglog {
namespace {

void check_decays(const char* operation, const Heads& q, const Tensor& g, const LinearAttentionOptions& options) {
    detail::check_shape(operation, "g", g, Shape{q.rows.shape.rows(), q.heads * options.key_dim},
                        "a decay per token and key channel of each head of 'q'");
}

template <class T>
VectorDecayInputs<T> inputs_of(const LinearAttentionSizes& sizes, const Heads& q, const Heads& k, const Heads& v,
                               const Tensor& g, const LinearAttentionOptions& options) {
    return {.sizes = sizes,
            .q = q.view<const T>(),
            .k = k.view<const T>(),
            .v = v.view<const T>(),
            .g = reinterpret_cast<const T*>(g.data),
            .scale = options.scale,
            .document_start = options.document_start};
}

}  // namespace

Tensor vector_decay_attention(Tape& tape, const Heads& q, const Heads& k, const Heads& v, const Tensor& g,
                              const LinearAttentionOptions& options) {
    const auto sizes = detail::linear_sizes("vector_decay_attention", q, k, v, options);
    check_decays("vector_decay_attention", q, g, options);
    const Tensor out = tape.empty(Shape{q.rows.shape.rows(), q.heads * options.value_dim}, q.rows.dtype);
    const Heads out_heads{out, 0, q.heads};
    with_dtype(q.rows.dtype, [&]<class T>(T) {
        launch(tape.context(), VectorDecayForward<T>{inputs_of<T>(sizes, q, k, v, g, options), out_heads.view<T>()});
        tape.record([q, k, v, g, out_heads, sizes, options](Tape& back) {
            const T* d_out = back.collected<T>(out_heads.rows).data();
            const auto dg = g.needs_gradient() ? back.gradient_of<T>(g) : GradientTarget<T>{{}, false};
            launch(back.context(), VectorDecayBackward<T>{.in = inputs_of<T>(sizes, q, k, v, g, options),
                                                          .d_out = out_heads.view_of(d_out),
                                                          .dq = q.view_of(back.gradient_columns_of<T>(q.rows)),
                                                          .dk = k.view_of(back.gradient_columns_of<T>(k.rows)),
                                                          .dv = v.view_of(back.gradient_columns_of<T>(v.rows)),
                                                          .dg = dg.values.data(),
                                                          .accumulate_dg = dg.accumulate});
            back.retire(out_heads.rows);
        });
    });
    return out;
}

Tensor vector_decay_attention_step(Tape& tape, const Heads& q, const Heads& k, const Heads& v, const Tensor& g,
                                   const LinearAttentionOptions& options, const Tensor& state) {
    const auto sizes = detail::linear_step_sizes("vector_decay_attention_step", q, k, v, options, state);
    check_decays("vector_decay_attention_step", q, g, options);
    const Tensor out = tape.empty(Shape{1, q.heads * options.value_dim}, q.rows.dtype);
    with_dtype(q.rows.dtype, [&]<class T>(T) {
        launch(tape.context(), VectorDecayStep<T>{inputs_of<T>(sizes, q, k, v, g, options),
                                                  Heads{out, 0, q.heads}.view<T>(), state.values<T>()});
    });
    return out;
}

}  // namespace loglog
