#include "engine/nn/attention_layer.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "engine/kernels/elementwise.hpp"
#include "engine/nn/add_parameter.hpp"
#include "engine/ops/columns.hpp"
#include "engine/ops/gates.hpp"
#include "engine/ops/linear.hpp"
#include "engine/ops/rms_norm.hpp"
#include "engine/ops/rotary.hpp"
#include "engine/ops/short_convolution.hpp"

namespace loglog {
namespace {

// Outputs of linear kinds are sums of products of small numbers: at the start their squares are about 1e-5, of which
// a usual epsilon would hide the size.
constexpr double output_norm_epsilon = 1e-6;

/// A gain that all heads share. Leaves have copies, since each sees its own heads alone.
ParameterId add_head_gain(std::vector<ParameterSpec>& specs, std::string name, std::int64_t head_dim,
                          const ParameterizationRule& rule) {
    const Cut cut{.axis = Cut::Axis::rows, .blocks = {{.rows = head_dim, .units = 1}}};
    const auto id = add_constant(specs, std::move(name), Shape{head_dim}, ParameterClass::hidden_vector, 1, rule, cut);
    specs.back().by_leaf = true;
    return id;
}

std::vector<CutBlock> qkv_blocks(const MixerOptions& o) {
    const CutBlock keys{.rows = o.kv_heads * o.head_dim, .units = o.kv_heads};
    return {{.rows = o.heads * o.head_dim, .units = o.heads}, keys, keys};
}

std::int64_t rows_of(const std::vector<CutBlock>& blocks) {
    return std::accumulate(blocks.begin(), blocks.end(), std::int64_t{0},
                           [](std::int64_t sum, const CutBlock& block) { return sum + block.rows; });
}

/// Columns of one block on this rank.
std::int64_t local_columns(const CutBlock& block, const TensorShard& shard) {
    return shard.is_cut() ? shard.leaf_count * rows_per_leaf(block, shard.leaves) : block.rows;
}

/// Weights of a depthwise convolution: a variance of 1 / (3 taps), as of the uniform numbers that are usual there.
ParameterId add_convolution(std::vector<ParameterSpec>& specs, std::string name, const MixerOptions& o,
                            const ParameterizationRule& rule) {
    const auto blocks = qkv_blocks(o);
    return add_normal(specs, std::move(name), Shape{rows_of(blocks), o.config.conv}, ParameterClass::hidden_vector,
                      1 / std::sqrt(3.0 * static_cast<double>(o.config.conv)), rule,
                      {.axis = Cut::Axis::rows, .blocks = blocks});
}

bool normalizes_output(AttentionKind kind) {
    switch (kind) {
        case AttentionKind::relu:
        case AttentionKind::retention:
        case AttentionKind::lightning:
        case AttentionKind::ssd:
        case AttentionKind::gla:
        case AttentionKind::deltanet:
        case AttentionKind::gdn:
            return true;
        default:
            return false;
    }
}

}  // namespace

LocalHeads local_heads(const MixerOptions& options, const TensorShard& shard) noexcept {
    if (!shard.is_cut()) {
        return {.heads = options.heads, .kv_heads = options.kv_heads, .leaves = 1, .first_head = 0};
    }
    const auto heads_per_leaf = options.heads / shard.leaves;
    return {.heads = shard.leaf_count * heads_per_leaf,
            .kv_heads = shard.leaf_count * std::max<std::int64_t>(options.kv_heads / shard.leaves, 1),
            .leaves = shard.leaf_count,
            .first_head = shard.first_leaf * heads_per_leaf};
}

AttentionLayer::Mixer AttentionLayer::make_mixer(std::vector<ParameterSpec>& specs, const std::string& name,
                                                 const MixerOptions& options, const ParameterizationRule& rule) {
    switch (options.config.kind) {
        case AttentionKind::elu:
        case AttentionKind::relu:
        case AttentionKind::performer:
        case AttentionKind::cosformer:
            return FeatureMixer{specs, name, options, rule};
        case AttentionKind::retention:
        case AttentionKind::lightning:
        case AttentionKind::ssd:
            return DecayMixer{specs, name, options, rule};
        case AttentionKind::gla:
            return VectorDecayMixer{specs, name, options, rule};
        case AttentionKind::deltanet:
        case AttentionKind::gdn:
            return DeltaMixer{specs, name, options, rule};
        default:
            return SoftmaxMixer{specs, name, options, rule};
    }
}

std::vector<CutBlock> AttentionLayer::blocks(const Options& options, const Mixer& mixer) {
    const auto& o = options.mixer;
    auto result = qkv_blocks(o);
    if (o.config.output_gate) { result.push_back({.rows = o.heads * o.head_dim, .units = o.heads}); }
    const auto gates = std::visit([](const auto& kind) { return kind.gate_blocks(); }, mixer);
    result.insert(result.end(), gates.begin(), gates.end());
    return result;
}

AttentionLayer::AttentionLayer(std::vector<ParameterSpec>& specs, const std::string& name, const Options& options,
                               const ParameterizationRule& rule)
    : options_{options},
      mixer_{make_mixer(specs, name, options.mixer, rule)},
      blocks_{blocks(options, mixer_)},
      qkv_{specs,
           name + ".qkv",
           {.in = options.width, .out = rows_of(blocks_)},
           options.qkv_bias,
           options.mixer.init_std,
           LinearLayer::Ends::inside_branch,
           rule,
           blocks_},
      out_{specs,
           name + ".out",
           {.in = options.mixer.heads * options.mixer.head_dim, .out = options.width},
           options.output_bias,
           options.mixer.init_std,
           LinearLayer::Ends::residual_branch,
           rule,
           {}} {
    const auto& o = options.mixer;
    if (options.qk_norm) {
        query_gain_ = add_head_gain(specs, name + ".query_norm.gain", o.head_dim, rule);
        key_gain_ = add_head_gain(specs, name + ".key_norm.gain", o.head_dim, rule);
    }
    if (o.config.conv > 0) { convolution_ = add_convolution(specs, name + ".conv.weight", o, rule); }
    if (normalizes_output(o.config.kind)) {
        output_gain_ = add_head_gain(specs, name + ".output_norm.gain", o.head_dim, rule);
    }
}

Tensor AttentionLayer::project(Tape& tape, Parameters& parameters, const Tensor& x) const {
    const Tensor input = gathered_input(tape, x, parameters.shard());
    const Tensor fused = linear(tape, input, qkv_.weight(parameters),
                                {.bias = qkv_.bias(parameters), .cut = qkv_.column_cut(parameters)});
    discard_gathered(tape, input, parameters.shard());
    return fused;
}

AttentionLayer::Heading AttentionLayer::heading(const Tensor& rows, const LocalHeads& local) const {
    const auto dim = options_.mixer.head_dim;
    return {.q = {rows, 0, local.heads},
            .k = {rows, local.heads * dim, local.kv_heads},
            .v = {rows, (local.heads + local.kv_heads) * dim, local.kv_heads}};
}

void AttentionLayer::take_gates(Tape& tape, const Parameters& parameters, Projected& projected) const {
    const auto& shard = parameters.shard();
    std::int64_t column = 0;
    std::size_t block = 0;
    for (; block < 3; ++block) { column += local_columns(blocks_[block], shard); }
    const auto take = [&] {
        const auto columns = local_columns(blocks_[block++], shard);
        const Tensor gate = take_columns(tape, projected.fused, column, columns);
        column += columns;
        return gate;
    };
    if (options_.mixer.config.output_gate) { projected.output_gate = take(); }
    for (std::size_t gate = 0; block < blocks_.size(); ++gate) { projected.input.gates[gate] = take(); }
}

void AttentionLayer::norm_by_leaf(Tape& tape, Parameters& parameters, const Heads& from, ParameterId gain,
                                  const Heads& to, const LocalHeads& local) const {
    const auto heads = from.heads / local.leaves;
    const double epsilon = gain == output_gain_ ? output_norm_epsilon : options_.norm_epsilon;
    for (std::int64_t leaf = 0; leaf < local.leaves; ++leaf) {
        const auto column = leaf * heads * options_.mixer.head_dim;
        head_norm(tape, {from.rows, from.first_column + column, heads}, parameters.leaf(gain, leaf), epsilon,
                  {to.rows, to.first_column + column, heads});
    }
}

Tensor AttentionLayer::normalize_queries_and_keys(Tape& tape, Parameters& parameters, const Heading& from,
                                                  const LocalHeads& local) const {
    const auto dim = options_.mixer.head_dim;
    const Tensor normed =
        tape.empty(Shape{from.q.rows.shape.rows(), (local.heads + local.kv_heads) * dim}, from.q.rows.dtype);
    tape.retire_in_backward(normed);
    norm_by_leaf(tape, parameters, from.q, *query_gain_, {normed, 0, local.heads}, local);
    norm_by_leaf(tape, parameters, from.k, *key_gain_, {normed, local.heads * dim, local.kv_heads}, local);
    return normed;
}

void AttentionLayer::finish_heads(Tape& tape, Parameters& parameters, Projected& projected, const MixerTables& tables,
                                  std::int64_t first_position) const {
    const auto& o = options_.mixer;
    auto& input = projected.input;
    const auto& local = input.local;
    auto heads = heading(projected.convolved.data != nullptr ? projected.convolved : projected.fused, local);
    if (options_.qk_norm) {
        projected.normalized = normalize_queries_and_keys(tape, parameters, heads, local);
        heads.q.rows = heads.k.rows = projected.normalized;
    }
    if (o.config.kind == AttentionKind::lightning) {
        const auto columns = (local.heads + local.kv_heads) * o.head_dim;
        projected.activated = tape.empty(Shape{heads.q.rows.shape.rows(), columns}, heads.q.rows.dtype);
        tape.retire_in_backward(projected.activated);
        const Heads both{heads.q.rows, 0, local.heads + local.kv_heads};
        head_silu(tape, both, o.head_dim, {projected.activated, 0, both.heads});
        heads.q.rows = heads.k.rows = projected.activated;
    }
    if (options_.rotates && tables.rotary()) {
        // Queries and keys lie side by side, so one call turns both.
        const Heads both{heads.q.rows, 0, local.heads + local.kv_heads};
        rotary(tape, both, tables.rotary().cosine(), tables.rotary().sine(), input.time, first_position);
    }
    input.q = heads.q;
    input.k = heads.k;
    input.v = heads.v;
}

void AttentionLayer::discard(Tape& tape, const Projected& projected) const {
    const auto if_there = [&](const Tensor& tensor) {
        if (tensor.data != nullptr) { tape.discard(tensor); }
    };
    if_there(projected.activated);
    if_there(projected.normalized);
    if_there(projected.convolved);
    for (const auto& gate : projected.input.gates) { if_there(gate); }
    tape.discard(projected.fused);
}

Tensor AttentionLayer::finish(Tape& tape, Parameters& parameters, const Tensor& mixed, const Projected& projected,
                              const ResidualBranch& branch) const {
    Tensor out = mixed;
    if (output_gain_) {
        const auto heads = projected.input.local.heads;
        out = tape.empty(mixed.shape, mixed.dtype);
        tape.retire_in_backward(out);
        norm_by_leaf(tape, parameters, {mixed, 0, heads}, *output_gain_, {out, 0, heads}, projected.input.local);
        tape.discard(mixed);
    }
    if (projected.output_gate.data != nullptr) {
        const Tensor normed = out;
        out = gated(tape, normed, projected.output_gate);
        tape.discard(normed);
        tape.discard(projected.output_gate);
    }
    const Tensor y = join(tape, parameters, out, out_, branch);
    tape.discard(out);
    return y;
}

Tensor AttentionLayer::operator()(Tape& tape, Parameters& parameters, const Tensor& x, MixerTables& tables,
                                  const ResidualBranch& branch) const {
    Projected projected;
    projected.fused = project(tape, parameters, x);
    projected.input.local = local_heads(options_.mixer, parameters.shard());
    projected.input.time = branch.time;
    projected.input.info = branch.info;
    take_gates(tape, parameters, projected);
    if (convolution_) {
        const Tensor weight = parameters.tensor(*convolution_);
        const bool all = blocks_.size() == 3;
        const Tensor qkv = all ? projected.fused : take_columns(tape, projected.fused, 0, weight.shape[0]);
        projected.convolved =
            short_convolution(tape, qkv, weight, {.time = branch.time, .document_start = branch.info.document_start});
        if (!all) { tape.discard(qkv); }
    }
    finish_heads(tape, parameters, projected, tables, 0);
    const Tensor mixed =
        std::visit([&](const auto& mixer) { return mixer.mix(tape, parameters, projected.input, tables); }, mixer_);
    discard(tape, projected);
    return finish(tape, parameters, mixed, projected, branch);
}

MixerState AttentionLayer::make_state(Arena& arena, std::int64_t capacity, DType dtype) const {
    MixerState state;
    if (const auto* const softmax = std::get_if<SoftmaxMixer>(&mixer_)) {
        softmax->allocate(state, arena, capacity, dtype);
        return state;
    }
    std::visit(
        [&]<class Kind>(const Kind& mixer) {
            if constexpr (!std::is_same_v<Kind, SoftmaxMixer>) { mixer.allocate(state, arena, dtype); }
        },
        mixer_);
    if (convolution_ && options_.mixer.config.conv > 1) {
        state.past =
            allocated(arena, Shape{options_.mixer.config.conv - 1, rows_of(qkv_blocks(options_.mixer))}, dtype);
    }
    clear(state);
    return state;
}

void clear(MixerState& state) {
    for (const Tensor* const past : {&state.state, &state.normalizer, &state.past}) {
        if (past->data == nullptr) { continue; }
        with_dtype(past->dtype, [&]<class T>(T) { std::ranges::fill(past->values<T>(), T{0}); });
    }
}

Tensor AttentionLayer::decode(Tape& tape, Parameters& parameters, const Tensor& x, MixerTables& tables,
                              const ResidualBranch& branch, MixerState& state, std::int64_t position) const {
    Projected projected;
    projected.fused = project(tape, parameters, x);
    projected.input.local = local_heads(options_.mixer, parameters.shard());
    projected.input.info = branch.info;
    take_gates(tape, parameters, projected);
    if (convolution_) {
        const Tensor weight = parameters.tensor(*convolution_);
        const Tensor qkv = take_columns(tape, projected.fused, 0, weight.shape[0]);
        projected.convolved = short_convolution_step(tape, qkv, weight, state.past);
    }
    finish_heads(tape, parameters, projected, tables, position);
    const Tensor mixed = std::visit(
        [&](const auto& mixer) { return mixer.step(tape, parameters, projected.input, tables, state, position); },
        mixer_);
    return finish(tape, parameters, mixed, projected, branch);
}

}  // namespace loglog
