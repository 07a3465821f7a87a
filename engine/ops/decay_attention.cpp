#include "engine/ops/decay_attention.hpp"

#include "engine/kernels/linear_attention.hpp"
#include "engine/ops/check_shape.hpp"
#include "engine/ops/linear_checks.hpp"

namespace loglog {
namespace {

bool is_per_token(const Tensor& g) { return g.shape.rank() > 1; }

void check_decays(const char* operation, const Heads& q, const Tensor& g) {
    const Shape wanted = is_per_token(g) ? Shape{q.rows.shape.rows(), q.heads} : Shape{q.heads};
    detail::check_shape(operation, "g", g, wanted, "a decay per head of 'q', and per token or for all tokens");
}

template <class T>
LinearAttentionInputs<T> inputs_of(const LinearAttentionSizes& sizes, const Heads& q, const Heads& k, const Heads& v,
                                   const Tensor& g, const LinearAttentionOptions& options) {
    auto inputs = detail::linear_inputs<T>(sizes, q, k, v, options);
    inputs.g = {reinterpret_cast<const T*>(g.data), is_per_token(g) ? sizes.heads : 0};
    return inputs;
}

}  // namespace

Tensor decay_attention(Tape& tape, const Heads& q, const Heads& k, const Heads& v, const Tensor& g,
                       const LinearAttentionOptions& options) {
    const auto sizes = detail::linear_sizes("decay_attention", q, k, v, options);
    check_decays("decay_attention", q, g);
    const Tensor out = tape.empty(Shape{q.rows.shape.rows(), q.heads * options.value_dim}, q.rows.dtype);
    const Heads out_heads{out, 0, q.heads};
    with_dtype(q.rows.dtype, [&]<class T>(T) {
        launch(tape.context(),
               LinearAttentionForward<T>{inputs_of<T>(sizes, q, k, v, g, options), out_heads.view<T>()});
        tape.record([q, k, v, g, out_heads, sizes, options](Tape& back) {
            const T* d_out = back.collected<T>(out_heads.rows).data();
            const bool needed = is_per_token(g) && g.needs_gradient();
            const auto dg = needed ? back.gradient_of<T>(g) : GradientTarget<T>{};
            launch(back.context(), LinearAttentionBackward<T>{.in = inputs_of<T>(sizes, q, k, v, g, options),
                                                              .out = out_heads.view<const T>(),
                                                              .normalizers = {},
                                                              .d_out = out_heads.view_of(d_out),
                                                              .dq = q.view_of(back.gradient_columns_of<T>(q.rows)),
                                                              .dk = k.view_of(back.gradient_columns_of<T>(k.rows)),
                                                              .dv = v.view_of(back.gradient_columns_of<T>(v.rows)),
                                                              .dg = dg.values,
                                                              .accumulate_dg = dg.accumulate});
            back.retire(out_heads.rows);
        });
    });
    return out;
}

Tensor decay_attention_step(Tape& tape, const Heads& q, const Heads& k, const Heads& v, const Tensor& g,
                            const LinearAttentionOptions& options, const Tensor& state) {
    const auto sizes = detail::linear_step_sizes("decay_attention_step", q, k, v, options, state);
    check_decays("decay_attention_step", q, g);
    const Tensor out = tape.empty(Shape{1, q.heads * options.value_dim}, q.rows.dtype);
    with_dtype(q.rows.dtype, [&]<class T>(T) {
        launch(tape.context(),
               LinearAttentionStep<T>{
                   inputs_of<T>(sizes, q, k, v, g, options), Heads{out, 0, q.heads}.view<T>(), state.values<T>(), {}});
    });
    return out;
}

}  // namespace loglog
