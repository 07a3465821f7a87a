#include "engine/nn/softmax_attention.hpp"

#include <algorithm>
#include <utility>

#include "engine/nn/add_parameter.hpp"
#include "engine/ops/attention.hpp"
#include "engine/ops/linear.hpp"
#include "engine/ops/rms_norm.hpp"
#include "engine/ops/rotary.hpp"

namespace loglog {

namespace {

std::vector<CutBlock> qkv_blocks(const SoftmaxAttention::Options& o) {
    const CutBlock keys{.rows = o.kv_heads * o.head_dim, .units = o.kv_heads};
    return {{.rows = o.heads * o.head_dim, .units = o.heads}, keys, keys};
}

/// A gain that all heads share. Leaves have copies, since each sees its own heads alone.
ParameterId add_head_gain(std::vector<ParameterSpec>& specs, std::string name, std::int64_t head_dim,
                          const ParameterizationRule& rule) {
    const Cut cut{.axis = Cut::Axis::rows, .blocks = {{.rows = head_dim, .units = 1}}};
    const auto id = add_constant(specs, std::move(name), Shape{head_dim}, ParameterClass::hidden_vector, 1, rule, cut);
    specs.back().by_leaf = true;
    return id;
}

}  // namespace

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
           rule,
           qkv_blocks(options)},
      query_gain_{},
      key_gain_{},
      out_{specs,
           name + ".out",
           {.in = options.heads * options.head_dim, .out = options.width},
           options.output_bias,
           options.init_std,
           LinearLayer::Ends::residual_branch,
           rule,
           {}} {
    if (options.qk_norm) {
        query_gain_ = add_head_gain(specs, name + ".query_norm.gain", options.head_dim, rule);
        key_gain_ = add_head_gain(specs, name + ".key_norm.gain", options.head_dim, rule);
    }
}

SoftmaxAttention::LocalHeads SoftmaxAttention::local_heads(const TensorShard& shard) const noexcept {
    const auto& o = options_;
    if (!shard.is_cut()) { return {.heads = o.heads, .kv_heads = o.kv_heads, .leaves = 1, .first_head = 0}; }
    const auto heads_per_leaf = o.heads / shard.leaves;
    return {.heads = shard.leaf_count * heads_per_leaf,
            .kv_heads = shard.leaf_count * std::max<std::int64_t>(o.kv_heads / shard.leaves, 1),
            .leaves = shard.leaf_count,
            .first_head = shard.first_leaf * heads_per_leaf};
}

void SoftmaxAttention::normalize(Tape& tape, Parameters& parameters, Projected& projected,
                                 const LocalHeads& local) const {
    const auto& fused = projected.q.rows;
    const auto dim = options_.head_dim;
    const Tensor normed = tape.empty(Shape{fused.shape.rows(), (local.heads + local.kv_heads) * dim}, fused.dtype);
    tape.retire_in_backward(normed);
    const Heads q{normed, 0, local.heads};
    const Heads k{normed, local.heads * dim, local.kv_heads};
    const auto normalize_leaves = [&](const Heads& from, ParameterId gain, const Heads& to) {
        const auto heads = from.heads / local.leaves;
        for (std::int64_t leaf = 0; leaf < local.leaves; ++leaf) {
            const auto column = leaf * heads * dim;
            head_norm(tape, {from.rows, from.first_column + column, heads}, parameters.leaf(gain, leaf),
                      options_.norm_epsilon, {to.rows, to.first_column + column, heads});
        }
    };
    normalize_leaves(projected.q, *query_gain_, q);
    normalize_leaves(projected.k, *key_gain_, k);
    projected.q = q;
    projected.k = k;
}

SoftmaxAttention::Projected SoftmaxAttention::project(Tape& tape, Parameters& parameters, const Tensor& x,
                                                      const RotaryTable& rotary_table, std::int64_t time,
                                                      std::int64_t first_position) const {
    const auto& o = options_;
    const auto local = local_heads(parameters.shard());
    const Tensor input = gathered_input(tape, x, parameters.shard());
    const Tensor fused = linear(tape, input, qkv_.weight(parameters),
                                {.bias = qkv_.bias(parameters), .cut = qkv_.column_cut(parameters)});
    discard_gathered(tape, input, parameters.shard());
    Projected result{.q = {fused, 0, local.heads},
                     .k = {fused, local.heads * o.head_dim, local.kv_heads},
                     .v = {fused, (local.heads + local.kv_heads) * o.head_dim, local.kv_heads}};
    if (o.qk_norm) { normalize(tape, parameters, result, local); }
    if (rotary_table) {
        // Queries and keys lie side by side, so one call turns both.
        const Heads both{result.q.rows, 0, local.heads + local.kv_heads};
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
                          .first_head = static_cast<std::uint32_t>(local_heads(parameters.shard()).first_head)};
    }
    const Tensor mixed = attention(tape, projected.q, projected.k, projected.v, attend);
    discard(tape, projected);
    const Tensor y = join(tape, parameters, mixed, out_, branch);
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
    return join(tape, parameters, mixed, out_, branch);
}

}  // namespace loglog
