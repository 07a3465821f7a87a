#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/spec/field_value.hpp"
#include "experiments/spec/run_spec.hpp"

namespace loglog {

/// The values a number may have. Integers and reals alike.
struct Range {
    double low = -std::numeric_limits<double>::infinity();
    double high = std::numeric_limits<double>::infinity();
    bool low_open = false;   ///< `low` itself is not allowed
    bool high_open = false;  ///< `high` itself is not allowed

    bool contains(double value) const noexcept {
        return (low_open ? value > low : value >= low) && (high_open ? value < high : value <= high);
    }
};

inline constexpr Range any{};
inline constexpr Range at_least_0{.low = 0};
inline constexpr Range at_least_1{.low = 1};
inline constexpr Range extent{.low = 1, .high = 1e8};  ///< of a model's axis: products of two stay far from 2^63
inline constexpr Range above_0{.low = 0, .low_open = true};
inline constexpr Range fraction{.low = 0, .high = 1, .high_open = true};  ///< [0, 1)
inline constexpr Range whole_fraction{.low = 0, .high = 1};               ///< [0, 1]

inline constexpr Range conv_taps{.low = -1, .high = 8};
inline constexpr Range flag_or_derived{.low = -1, .high = 1};

/// Calls `visit(key, field, range)` for every field of a run's spec, in the order of the documentation: the single
/// list that reading, checking, overriding, varying and writing go through. A key here is a key of the TOML file.
template <class Spec, class Visit>
void visit_fields(Spec&& s, Visit&& visit) {
    visit("name", s.name, any);

    visit("data.path", s.data.path, any);
    visit("data.synthetic.documents", s.data.synthetic.documents, at_least_1);
    visit("data.synthetic.seed", s.data.synthetic.seed, at_least_0);
    visit("data.probe.task", s.data.probe.task, any);
    visit("data.probe.size", s.data.probe.size, at_least_1);
    visit("data.probe.vocab", s.data.probe.vocab, at_least_1);
    visit("data.probe.examples", s.data.probe.examples, at_least_1);
    visit("data.probe.seed", s.data.probe.seed, at_least_0);
    visit("data.probe.stop_at", s.data.probe.stop_at, whole_fraction);

    visit("model.family", s.model.family, any);
    visit("model.layers", s.model.layers, extent);
    visit("model.width", s.model.width, extent);
    visit("model.heads", s.model.heads, extent);
    visit("model.kv_heads", s.model.kv_heads, extent);
    visit("model.head_dim", s.model.head_dim, extent);
    visit("model.vocab", s.model.vocab, extent);
    visit("model.context", s.model.context, extent);
    visit("model.norm", s.model.norm, any);
    visit("model.positions", s.model.positions, any);
    visit("model.activation", s.model.activation, any);
    visit("model.mlp_width", s.model.mlp_width, extent);
    visit("model.tied_head", s.model.tied_head, any);
    visit("model.qkv_bias", s.model.qkv_bias, any);
    visit("model.bias", s.model.bias, any);
    visit("model.dropout", s.model.dropout, fraction);
    visit("model.qk_norm", s.model.qk_norm, any);
    visit("model.attention.kind", s.model.attention.kind, any);
    visit("model.attention.every", s.model.attention.every, at_least_1);
    visit("model.attention.minority", s.model.attention.minority, any);
    visit("model.attention.layers", s.model.attention.layers, any);
    visit("model.attention.label", s.model.attention.label, any);
    visit("model.attention.window", s.model.attention.window, at_least_1);
    visit("model.attention.sinks", s.model.attention.sinks, at_least_0);
    visit("model.attention.stride", s.model.attention.stride, at_least_1);
    visit("model.attention.block", s.model.attention.block, at_least_1);
    visit("model.attention.summary", s.model.attention.summary, at_least_1);
    visit("model.attention.global_blocks", s.model.attention.global_blocks, at_least_0);
    visit("model.attention.random_blocks", s.model.attention.random_blocks, at_least_0);
    visit("model.attention.top_k", s.model.attention.top_k, at_least_1);
    visit("model.attention.features", s.model.attention.features, at_least_1);
    visit("model.attention.pattern", s.model.attention.pattern, any);
    visit("model.attention.chunk", s.model.attention.chunk, at_least_1);
    visit("model.attention.conv", s.model.attention.conv, conv_taps);
    visit("model.attention.output_gate", s.model.attention.output_gate, flag_or_derived);
    visit("model.attention.negative_eigenvalues", s.model.attention.negative_eigenvalues, any);
    visit("model.attention.rotary_in_hybrid", s.model.attention.rotary_in_hybrid, any);
    visit("model.attention.match_parameters", s.model.attention.match_parameters, any);

    visit("train.tokens", s.train.tokens, at_least_1);
    visit("train.batch_tokens", s.train.batch_tokens, at_least_1);
    visit("train.micro_batch", s.train.micro_batch, at_least_0);
    visit("train.optimizer.kind", s.train.optimizer.kind, any);
    visit("train.optimizer.lr", s.train.optimizer.lr, above_0);
    visit("train.optimizer.betas", s.train.optimizer.betas, fraction);
    visit("train.optimizer.eps", s.train.optimizer.eps, above_0);
    visit("train.optimizer.weight_decay", s.train.optimizer.weight_decay, at_least_0);
    visit("train.optimizer.clip", s.train.optimizer.clip, at_least_0);
    visit("train.schedule.kind", s.train.schedule.kind, any);
    visit("train.schedule.warmup", s.train.schedule.warmup, at_least_0);
    visit("train.schedule.cooldown", s.train.schedule.cooldown, whole_fraction);
    visit("train.schedule.decay", s.train.schedule.decay, any);
    visit("train.schedule.min_ratio", s.train.schedule.min_ratio, whole_fraction);
    visit("train.parameterization", s.train.parameterization, any);
    visit("train.mup.base_width", s.train.mup.base_width, at_least_1);
    visit("train.mup.base_layers", s.train.mup.base_layers, at_least_1);
    visit("train.mup.base_head_dim", s.train.mup.base_head_dim, at_least_1);
    visit("train.mup.depth_alpha", s.train.mup.depth_alpha, at_least_0);
    visit("train.z_loss", s.train.z_loss, at_least_0);
    visit("train.eval_every", s.train.eval_every, at_least_0);
    visit("train.eval_tokens", s.train.eval_tokens, at_least_1);
    visit("train.checkpoint_every", s.train.checkpoint_every, at_least_0);
    visit("train.keep_last", s.train.keep_last, at_least_1);
    visit("train.keep_at", s.train.keep_at, at_least_1);
    visit("train.seed", s.train.seed, at_least_0);
    visit("train.document_boundaries", s.train.document_boundaries, any);
    visit("train.precision", s.train.precision, any);
    visit("train.threads", s.train.threads, at_least_0);

    visit("layout.dp", s.layout.dp, at_least_1);
    visit("layout.tp", s.layout.tp, at_least_1);
    visit("layout.pp", s.layout.pp, at_least_1);
    visit("layout.schedule", s.layout.schedule, any);
    visit("layout.micro_batches", s.layout.micro_batches, at_least_0);
    visit("layout.zero", s.layout.zero, Range{.low = 0, .high = 1});
    visit("layout.sequence_parallel", s.layout.sequence_parallel, any);
    visit("layout.reduction", s.layout.reduction, any);
}

/// Every key of a run's spec.
const std::vector<std::string>& field_keys();

/// Gives a field its value. A problem, in words, when the value has the wrong type or is out of range:
/// "is \"wide\" but must be an integer, at least 1". An integral real such as 1e6 is an integer.
/// An unknown key is a problem too, with the nearest known one.
/// RangeCheck::no lets 0 through where it means "derived": for reading back what to_json() wrote.
enum class RangeCheck { yes, no };
std::optional<std::string> assign(RunSpec& spec, std::string_view key, const FieldValue& value,
                                  RangeCheck check = RangeCheck::yes);

/// The value of a field. Throws InputError for an unknown key.
FieldValue value_of(const RunSpec& spec, std::string_view key);

/// Defaults, then the assignments in order (later ones win), then what depends on which keys were given (qkv_bias
/// follows bias). Adds to `problems` what assign() and check() find, each at the place of the key it is about.
RunSpec spec_from(const std::vector<Assignment>& assignments, std::vector<SpecProblem>& problems);

/// What is impossible in the combination of fields, whatever the data: heads that do not divide, an odd head_dim with
/// rotary positions, a batch that is no multiple of the context... `place` is left empty.
std::vector<SpecProblem> check(const RunSpec& spec);

}  // namespace loglog
