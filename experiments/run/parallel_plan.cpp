#include "experiments/run/parallel_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "distributed/pipeline_parallel/balance.hpp"
#include "engine/base/error.hpp"
#include "engine/models/model_cost.hpp"
#include "experiments/run/estimate.hpp"

namespace loglog {
namespace {

/// How a step's sequences are cut; micro_batches 0: they cannot be, and `problem` says why.
struct Cutting {
    std::int64_t micro_batch = 0;
    std::int64_t micro_batches = 0;
    std::string problem;
};

bool fits_pipeline(const LayoutSpec& layout, std::int64_t micro_batches) {
    if (layout.pp == 1) { return true; }
    return micro_batches >= layout.pp &&
           (layout.schedule != PipelineSchedule::interleaved || micro_batches % layout.pp == 0);
}

bool fits_tree(const LayoutSpec& layout, std::int64_t micro_batches) {
    return layout.reduction == Reduction::fast || layout.dp == 1 ||
           std::has_single_bit(static_cast<std::uint64_t>(micro_batches));
}

bool fits_rows(const RunSpec& spec, std::int64_t micro_batch) {
    return !spec.layout.sequence_parallel || micro_batch * spec.model.context % spec.layout.tp == 0;
}

bool is_fine(const RunSpec& spec, std::int64_t local, std::int64_t micro_batch) {
    return local % micro_batch == 0 && fits_pipeline(spec.layout, local / micro_batch) &&
           fits_tree(spec.layout, local / micro_batch) && fits_rows(spec, micro_batch);
}

std::string why_not(const RunSpec& spec, std::int64_t local, const std::string& key, std::int64_t micro_batch) {
    const auto& layout = spec.layout;
    const auto passes = local / micro_batch;
    if (local % micro_batch != 0) {
        return fmt::format(
            "{}: micro-batches of {} sequences do not divide the {} that each of layout.dp = {} ranks has in "
            "a step",
            key, micro_batch, local, layout.dp);
    }
    if (!fits_pipeline(layout, passes)) {
        return fmt::format(
            "{}: {} micro-batches of {} sequences in a step, but {} stages need {} (use a smaller "
            "train.micro_batch, a larger train.batch_tokens or a smaller layout.pp)",
            key, passes, micro_batch, layout.pp,
            layout.schedule == PipelineSchedule::interleaved ? "a multiple of their number" : "at least as many");
    }
    if (!fits_tree(layout, passes)) {
        return fmt::format(
            "{}: {} micro-batches in a step, but layout.reduction = \"tree\" with layout.dp = {} needs a "
            "power of two (set train.micro_batch or layout.micro_batches)",
            key, passes, layout.dp);
    }
    return fmt::format(
        "{}: {} sequences of {} tokens are not a multiple of layout.tp = {} rows, which "
        "layout.sequence_parallel needs",
        key, micro_batch, spec.model.context, layout.tp);
}

/// The number of sequences per pass that the cache likes best among those that the layout allows. With a pipeline,
/// enough passes to keep the bubble small come first.
Cutting choose(const RunSpec& spec, std::int64_t local) {
    const auto config = decoder_config(spec);
    // Tree reductions promise the same bits in every layout, and a micro-batch is one of the tree's leaves.
    if (spec.layout.reduction == Reduction::tree) {
        const auto micro_batch = choose_micro_batch(config, spec.train.batch_tokens / spec.model.context);
        if (is_fine(spec, local, micro_batch)) { return {micro_batch, local / micro_batch, {}}; }
        return {0, 0, why_not(spec, local, "train.micro_batch", micro_batch)};
    }
    const auto most = choose_micro_batch(config, local);
    const std::int64_t passes_for_small_bubble = spec.layout.pp == 1 ? 1 : 4 * spec.layout.pp;
    std::int64_t fallback = 0;
    for (auto micro_batch = most; micro_batch >= 1; --micro_batch) {
        if (!is_fine(spec, local, micro_batch)) { continue; }
        if (local / micro_batch >= passes_for_small_bubble) { return {micro_batch, local / micro_batch, {}}; }
        fallback = micro_batch;
    }
    if (fallback > 0) { return {fallback, local / fallback, {}}; }
    return {0, 0, why_not(spec, local, "train.batch_tokens", 1)};
}

Cutting cut_batch(const RunSpec& spec) {
    const auto sequences = spec.train.batch_tokens / spec.model.context;
    const auto& layout = spec.layout;
    if (sequences % layout.dp != 0) {
        return {0, 0,
                fmt::format("layout.dp: is {} but must divide the {} sequences of a step (train.batch_tokens / "
                            "model.context)",
                            layout.dp, sequences)};
    }
    const auto local = sequences / layout.dp;
    if (layout.micro_batches > 0) {
        if (local % layout.micro_batches != 0) {
            return {
                0, 0,
                fmt::format("layout.micro_batches: is {} but must divide the {} sequences that each of layout.dp = {} "
                            "ranks has in a step",
                            layout.micro_batches, local, layout.dp)};
        }
        const auto micro_batch = local / layout.micro_batches;
        if (spec.train.micro_batch > 0 && spec.train.micro_batch != micro_batch) {
            return {0, 0,
                    fmt::format("layout.micro_batches: {} micro-batches of {} sequences contradict train.micro_batch = "
                                "{} (give one of the two)",
                                layout.micro_batches, micro_batch, spec.train.micro_batch)};
        }
        if (!is_fine(spec, local, micro_batch)) {
            return {0, 0, why_not(spec, local, "layout.micro_batches", micro_batch)};
        }
        return {micro_batch, layout.micro_batches, {}};
    }
    if (spec.train.micro_batch > 0) {
        const auto micro_batch = std::min(spec.train.micro_batch, local);
        const bool ragged = layout.ranks() == 1 && layout.reduction == Reduction::fast;
        if (!ragged && !is_fine(spec, local, micro_batch)) {
            return {0, 0, why_not(spec, local, "train.micro_batch", micro_batch)};
        }
        return {micro_batch, (local + micro_batch - 1) / micro_batch, {}};
    }
    return choose(spec, local);
}

std::int64_t leaves_of(const RunSpec& spec) {
    return spec.layout.reduction == Reduction::tree ? tree_leaves(decoder_config(spec)) : spec.layout.tp;
}

void check_tensor(const RunSpec& spec, std::vector<std::string>& problems) {
    const auto& layout = spec.layout;
    const auto leaves = leaves_of(spec);
    if (leaves % layout.tp != 0) {
        problems.push_back(fmt::format(
            "layout.tp: is {} but layout.reduction = \"tree\" cuts this model into {} leaves, which it must "
            "divide (heads and mlp_width with more factors of two allow up to 8)",
            layout.tp, leaves));
        return;
    }
    for (auto& problem : cut_problems(decoder_config(spec), leaves)) { problems.push_back(std::move(problem)); }
    if (layout.sequence_parallel && layout.tp == 1) {
        problems.push_back("layout.sequence_parallel: needs layout.tp of at least 2");
    }
    if (layout.sequence_parallel && layout.reduction == Reduction::tree) {
        problems.push_back(
            "layout.sequence_parallel: cannot keep the promise of layout.reduction = \"tree\" (sums over tokens would "
            "be "
            "cut elsewhere); use \"fast\"");
    }
}

void check_stages(const RunSpec& spec, std::vector<std::string>& problems) {
    const auto& layout = spec.layout;
    const auto pieces = layout.pp * chunks_per_stage(layout.schedule);
    if (layout.pp > 1 && spec.model.layers < pieces) {
        problems.push_back(
            fmt::format("layout.pp: {} stages{} need at least {} layers but the model has {}", layout.pp,
                        pieces > layout.pp ? fmt::format(" of {} chunks", chunks_per_stage(layout.schedule)) : "",
                        pieces, spec.model.layers));
    }
}

std::vector<LayerRange> balanced_pieces(const RunSpec& spec, const ParallelPlan& plan) {
    const auto config = decoder_config(spec);
    const int chunks = plan.layout.pp == 1 ? 1 : chunks_per_stage(plan.schedule);
    const int count = plan.layout.pp * chunks;
    if (count == 1) { return {{0, spec.model.layers}}; }
    const auto flops = [&](std::vector<LayerRange> layers, bool embedding, bool head) {
        const ModelPart part{.tensor = {}, .chunks = std::move(layers), .embedding = embedding, .head = head};
        return count_cost(config, part, plan.micro_batch).training.hardware_flops;
    };
    std::vector<double> layers;
    for (std::int64_t layer = 0; layer < spec.model.layers; ++layer) {
        layers.push_back(flops({{layer, layer + 1}}, false, false));
    }
    const double first_extra = flops({{0, 1}}, true, false) - layers.front();
    const double last_extra = flops({{0, 1}}, false, true) - layers.front();
    return balance_layers(layers, count, first_extra, last_extra);
}

}  // namespace

Layout layout_of(const RunSpec& spec) {
    return {.dp = static_cast<int>(spec.layout.dp),
            .tp = static_cast<int>(spec.layout.tp),
            .pp = static_cast<int>(spec.layout.pp)};
}

std::vector<std::string> layout_problems(const RunSpec& spec) {
    std::vector<std::string> problems;
    check_tensor(spec, problems);
    check_stages(spec, problems);
    if (auto problem = cut_batch(spec).problem; !problem.empty()) { problems.push_back(std::move(problem)); }
    return problems;
}

ParallelPlan parallel_plan(const RunSpec& spec) {
    if (const auto problems = layout_problems(spec); !problems.empty()) {
        throw InputError{fmt::format("the layout {} is not possible:\n  {}", to_string(layout_of(spec)),
                                     fmt::join(problems, "\n  "))};
    }
    const auto cutting = cut_batch(spec);
    ParallelPlan plan;
    plan.layout = layout_of(spec);
    plan.reduction = spec.layout.reduction;
    plan.schedule = plan.layout.pp == 1 ? PipelineSchedule::one_f_one_b : spec.layout.schedule;
    plan.zero = static_cast<int>(spec.layout.zero);
    plan.sequence_parallel = spec.layout.sequence_parallel;
    plan.leaves = leaves_of(spec);
    plan.micro_batch = cutting.micro_batch;
    plan.micro_batches = static_cast<int>(cutting.micro_batches);
    plan.pieces = balanced_pieces(spec, plan);
    return plan;
}

ModelPart part_of(const ParallelPlan& plan, const Place& place, Group* tensor) {
    const auto leaf_count = plan.leaves / plan.layout.tp;
    ModelPart part;
    part.tensor = {.leaves = plan.leaves,
                   .first_leaf = place.tp * leaf_count,
                   .leaf_count = leaf_count,
                   .group = plan.layout.tp > 1 ? tensor : nullptr,
                   .sequence_parallel = plan.sequence_parallel};
    part.chunks = chunks_of_stage(plan.pieces, plan.layout.pp, place.pp);
    part.embedding = place.pp == 0;
    part.head = place.pp == plan.layout.pp - 1;
    return part;
}

}  // namespace loglog
