#include "engine/ops/feature_attention.hpp"

#include "engine/kernels/linear_attention.hpp"
#include "engine/ops/check_shape.hpp"
#include "engine/ops/linear_checks.hpp"

namespace loglog {
namespace {

template <class T>
LinearAttentionInputs<T> inputs_of(const LinearAttentionSizes& sizes, const Heads& q, const Heads& k, const Heads& v,
                                   const FeatureAttentionOptions& options) {
    auto inputs = detail::linear_inputs<T>(sizes, q, k, v, options);
    inputs.map = options.map;
    return inputs;
}

}  // namespace

Tensor feature_attention(Tape& tape, const Heads& q, const Heads& k, const Heads& v,
                         const FeatureAttentionOptions& options) {
    const auto sizes = detail::linear_sizes("feature_attention", q, k, v, options);
    const auto rows = q.rows.shape.rows();
    const auto dtype = q.rows.dtype;
    const bool normalized = options.normalizer_epsilon.has_value();
    const Tensor normalizers = normalized ? tape.saved(Shape{rows, q.heads}, dtype) : Tensor{};
    const Tensor out = tape.empty(Shape{rows, q.heads * options.value_dim}, dtype);
    const Heads out_heads{out, 0, q.heads};
    with_dtype(dtype, [&]<class T>(T) {
        const double epsilon = options.normalizer_epsilon.value_or(0);
        launch(tape.context(), LinearAttentionForward<T>{inputs_of<T>(sizes, q, k, v, options),
                                                         out_heads.view<T>(),
                                                         {normalizers.values<T>(), epsilon, options.clamp_normalizer}});
        tape.record([q, k, v, out_heads, normalizers, sizes, options](Tape& back) {
            const T* d_out = back.collected<T>(out_heads.rows).data();
            launch(back.context(), LinearAttentionBackward<T>{.in = inputs_of<T>(sizes, q, k, v, options),
                                                              .out = out_heads.view<const T>(),
                                                              .normalizers = {normalizers.values<const T>(),
                                                                              options.normalizer_epsilon.value_or(0),
                                                                              options.clamp_normalizer},
                                                              .d_out = out_heads.view_of(d_out),
                                                              .dq = q.view_of(back.gradient_columns_of<T>(q.rows)),
                                                              .dk = k.view_of(back.gradient_columns_of<T>(k.rows)),
                                                              .dv = v.view_of(back.gradient_columns_of<T>(v.rows))});
            back.retire(out_heads.rows);
            if (normalizers.data != nullptr) { back.retire(normalizers); }
        });
    });
    return out;
}

Tensor feature_attention_step(Tape& tape, const Heads& q, const Heads& k, const Heads& v,
                              const FeatureAttentionOptions& options, const Tensor& state, const Tensor& normalizer) {
    const auto sizes = detail::linear_step_sizes("feature_attention_step", q, k, v, options, state);
    const bool normalized = options.normalizer_epsilon.has_value();
    if (normalized) {
        detail::check_shape("feature_attention_step", "normalizer", normalizer, Shape{q.heads, options.key_dim},
                            "a sum of the keys' features for each head of 'q'");
    }
    const Tensor out = tape.empty(Shape{1, q.heads * options.value_dim}, q.rows.dtype);
    with_dtype(q.rows.dtype, [&]<class T>(T) {
        launch(tape.context(),
               LinearAttentionStep<T>{inputs_of<T>(sizes, q, k, v, options), Heads{out, 0, q.heads}.view<T>(),
                                      state.values<T>(), normalized ? normalizer.values<T>() : std::span<T>{},
                                      options.normalizer_epsilon.value_or(0), options.clamp_normalizer});
    });
    return out;
}

}  // namespace loglog
