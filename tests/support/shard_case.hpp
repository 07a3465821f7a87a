#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "tests/support/decoder_case.hpp"

namespace loglog::testing {

/// A model that is cut into four leaves: grouped kv heads of which leaves share copies, gains that all heads share, a
/// vocabulary whose last leaf has no token at all, dropout.
inline DecoderConfig shard_modern_config() {
    auto config = tiny_modern_config();
    config.tied_head = true;
    config.mlp_width = 24;
    config.dropout = 0.1;
    config.z_loss = 1e-2;
    return resolved(config);
}

/// The GPT-2 kind, with biases, a position table and 257 tokens.
inline DecoderConfig shard_gpt_config() {
    auto config = tiny_config();
    config.vocab = 257;
    config.dropout = 0.1;
    return resolved(config);
}

/// What one rank has after two micro-batches.
struct ShardRun {
    double loss;
    Decoder model;
};

/// Every rank of a tensor group calls this together.
template <class T>
ShardRun run_shard(const DecoderConfig& config, const TensorShard& shard) {
    const TokenCase data{4, config.context, config.vocab};
    Decoder model{config, Purpose::training, dtype_of<T>, Backing::memory, {.tensor = shard}};
    model.initialize(Seed{11});
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
    const double loss = accumulate_gradients(context, tape, model, data, 2);
    return {loss, std::move(model)};
}

/// Names the parameters whose gradients on one rank are not those of the same leaves of `one_rank`, which has all;
/// empty if every bit agrees. Whole parameters are left out where ranks have partial gradients of them.
template <class T>
std::string different_bits(Parameters& mine, Parameters& one_rank) {
    std::string names;
    for (std::size_t index = 0; index < mine.size(); ++index) {
        const auto id = static_cast<ParameterId>(index);
        const auto axis = mine.spec(id).cut.axis;
        if (axis == Cut::Axis::whole && mine.shard().sequence_parallel) { continue; }
        bool same = true;
        for (const auto& segment : mine.segments(id)) {
            const auto all = one_rank.segments(id);
            const auto match = std::ranges::find_if(all, [&](const Segment& other) {
                return axis != Cut::Axis::rows ||
                       (other.first_leaf == segment.first_leaf && other.global_row == segment.global_row);
            });
            if (match == all.end()) { return mine.spec(id).name + " has no counterpart"; }
            for (std::int64_t row = 0; row < segment.rows; ++row) {
                const auto first = (segment.local_row + row) * segment.columns;
                const auto other =
                    (match->local_row + row) * match->columns + segment.global_column - match->global_column;
                const auto size = static_cast<std::size_t>(segment.columns);
                same =
                    same && std::ranges::equal(mine.gradient<T>(id).subspan(static_cast<std::size_t>(first), size),
                                               one_rank.gradient<T>(id).subspan(static_cast<std::size_t>(other), size));
            }
        }
        if (!same) { names += mine.spec(id).name + " "; }
    }
    return names;
}

/// The largest difference between the sum over `group` of what ranks have of the whole gradients and `whole`'s,
/// relative to each parameter's largest value (at least 0.01: some vanish).
template <class T>
double gradient_difference(Parameters& mine, Group* group, Parameters& whole) {
    double worst = 0;
    auto gathered = whole_gradients<T>(mine, mine.shard().sequence_parallel);
    for (std::size_t index = 0; index < gathered.size(); ++index) {
        if (group != nullptr) { group->all_reduce_sum(std::span<T>{gathered[index]}); }
        const auto expected = whole.gradient<T>(static_cast<ParameterId>(index));
        double largest = 1e-2;
        double difference = 0;
        for (std::size_t i = 0; i < expected.size(); ++i) {
            largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
            difference = std::max(difference, std::abs(static_cast<double>(expected[i] - gathered[index][i])));
        }
        worst = std::max(worst, difference / largest);
    }
    return worst;
}

}  // namespace loglog::testing
