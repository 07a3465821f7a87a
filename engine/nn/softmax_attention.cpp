#include "engine/nn/softmax_attention.hpp"

#include <algorithm>

#include "engine/nn/add_parameter.hpp"
#include "engine/ops/attention.hpp"
#include "engine/ops/linear.hpp"
#include "engine/ops/rms_norm.hpp"
#include "engine/ops/rotary.hpp"

namespace loglog {

SoftmaxAttention::SoftmaxAttention(std::vector<ParameterSpec>& specs, const std::string& name, const Options& options,
                                   const ParameterizationRule& rule)
    : options_{options},
      scale_{rule.attention_scale()},
      qkv_{specs,
           name + ".qkv",
           {.in = options.width, .out = (options.heads + 2 * options.kv_heads) * options.head_dim},
           options.qkv_bias,
           options.init_std,
           LinearLayer::Ends::inside_branch,
           rule},
      query_gain_{},
      key_gain_{},
      out_{specs,
           name + ".out",
           {.in = options.heads * options.head_dim, .out = options.width},
           options.output_bias,
           options.init_std,
           LinearLayer::Ends::residual_branch,
           rule} {
    if (options.qk_norm) {
        const Shape shape{options.head_dim};
        query_gain_ = add_constant(specs, name + ".query_norm.gain", shape, ParameterClass::hidden_vector, 1, rule);
        key_gain_ = add_constant(specs, name + ".key_norm.gain", shape, ParameterClass::hidden_vector, 1, rule);
    }
}

SoftmaxAttention::Projected SoftmaxAttention::project(Tape& tape, Parameters& parameters, const Tensor& x,
                                                      const RotaryTable& rotary_table, std::int64_t time,
                                                      std::int64_t first_position) const {
    const auto& o = options_;
    const Tensor fused = linear(tape, x, qkv_.weight(parameters), {.bias = qkv_.bias(parameters)});
    Projected result{.q = {fused, 0, o.heads},
                     .k = {fused, o.heads * o.head_dim, o.kv_heads},
                     .v = {fused, (o.heads + o.kv_heads) * o.head_dim, o.kv_heads}};
    if (o.qk_norm) {
        const Tensor normed = tape.empty(Shape{x.shape.rows(), (o.heads + o.kv_heads) * o.head_dim}, x.dtype);
        tape.retire_in_backward(normed);
        const Heads q{normed, 0, o.heads};
        const Heads k{normed, o.heads * o.head_dim, o.kv_heads};
        head_norm(tape, result.q, parameters.tensor(*query_gain_), o.norm_epsilon, q);
        head_norm(tape, result.k, parameters.tensor(*key_gain_), o.norm_epsilon, k);
        result.q = q;
        result.k = k;
    }
    if (rotary_table) {
        // Queries and keys lie side by side, so one call turns both.
        const Heads both{result.q.rows, 0, o.heads + o.kv_heads};
        rotary(tape, both, rotary_table.cosine(), rotary_table.sine(), time, first_position);
    }
    return result;
}

void SoftmaxAttention::discard(Tape& tape, const Projected& projected) const {
    if (options_.qk_norm) { tape.discard(projected.q.rows); }
    tape.discard(projected.v.rows);
}

Tensor SoftmaxAttention::operator()(Tape& tape, Parameters& parameters, const Tensor& x,
                                    const RotaryTable& rotary_table, const ResidualBranch& branch) const {
    const auto projected = project(tape, parameters, x, rotary_table, branch.time, 0);
    AttentionOptions attend{.time = branch.time, .head_dim = options_.head_dim, .scale = scale_, .dropout = {}};
    if (options_.dropout > 0 && tape.recording()) {
        attend.dropout = {.probability = static_cast<float>(options_.dropout),
                          .key = Random{branch.info.seed, Stream::dropout_attention}.key(),
                          .step = branch.info.step,
                          .layer = options_.layer,
                          .first_sequence = branch.info.first_sequence,
                          .first_head = 0};
    }
    const Tensor mixed = attention(tape, projected.q, projected.k, projected.v, attend);
    discard(tape, projected);
    const Tensor y = join(tape, mixed, out_.weight(parameters), out_.bias(parameters), branch);
    tape.discard(mixed);
    return y;
}

KeyValueCache SoftmaxAttention::make_cache(Arena& arena, std::int64_t capacity, DType dtype) const {
    const Shape shape{capacity, options_.kv_heads, options_.head_dim};
    KeyValueCache cache{.keys = {nullptr, shape, dtype, nullptr}, .values = {nullptr, shape, dtype, nullptr}};
    cache.keys.data = arena.allocate(cache.keys.bytes());
    cache.values.data = arena.allocate(cache.values.bytes());
    return cache;
}

Tensor SoftmaxAttention::decode(Tape& tape, Parameters& parameters, const Tensor& x, const RotaryTable& rotary_table,
                                const ResidualBranch& branch, KeyValueCache& cache, std::int64_t position) const {
    const auto projected = project(tape, parameters, x, rotary_table, 1, position);
    const Tensor mixed = tape.saved(Shape{1, options_.heads * options_.head_dim}, x.dtype);
    with_dtype(x.dtype, [&]<class T>(T) {
        const auto row = static_cast<std::size_t>(options_.kv_heads * options_.head_dim);
        const auto past = static_cast<std::size_t>(position);
        const auto keys = cache.keys.values<T>();
        const auto values = cache.values.values<T>();
        std::copy_n(projected.k.view<T>().data, row, keys.data() + past * row);
        std::copy_n(projected.v.view<T>().data, row, values.data() + past * row);
        const auto query_columns = static_cast<std::size_t>(options_.heads * options_.head_dim);
        launch(tape.context(), AttentionDecode<T>{.heads = static_cast<std::size_t>(options_.heads),
                                                  .kv_heads = static_cast<std::size_t>(options_.kv_heads),
                                                  .head_dim = static_cast<std::size_t>(options_.head_dim),
                                                  .length = past + 1,
                                                  .q = {projected.q.view<T>().data, query_columns},
                                                  .k_cache = keys.first((past + 1) * row),
                                                  .v_cache = values.first((past + 1) * row),
                                                  .out = mixed.values<T>(),
                                                  .scale = static_cast<T>(scale_)});
    });
    return join(tape, mixed, out_.weight(parameters), out_.bias(parameters), branch);
}

}  // namespace loglog
