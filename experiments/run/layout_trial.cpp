#include "experiments/run/layout_trial.hpp"

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <memory>

#include "engine/base/error.hpp"
#include "engine/models/model_cost.hpp"
#include "experiments/run/estimate.hpp"

namespace loglog {
namespace {

using Clock = std::chrono::steady_clock;

double median(std::vector<double> values) {
    if (values.empty()) { return 0; }
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

/// Writes what this rank owns of a parameter to its place in the whole one.
void place_owned(TrainingSession& session, ParameterId id, std::span<float> whole) {
    auto& parameters = session.parameters();
    const auto& spec = parameters.spec(id);
    const auto global_columns = static_cast<std::size_t>(spec.shape.rank() == 1 ? 1 : spec.shape.back());
    const auto local = parameters.values<float>(id);
    for (const Segment& segment : parameters.segments(id)) {
        if (!segment.owned) { continue; }
        const auto columns = static_cast<std::size_t>(segment.columns);
        for (std::size_t row = 0; row < static_cast<std::size_t>(segment.rows); ++row) {
            const auto from = (static_cast<std::size_t>(segment.local_row) + row) * columns;
            const auto to = (static_cast<std::size_t>(segment.global_row) + row) * global_columns +
                            static_cast<std::size_t>(segment.global_column);
            std::copy_n(local.begin() + static_cast<std::ptrdiff_t>(from), columns,
                        whole.begin() + static_cast<std::ptrdiff_t>(to));
        }
    }
}

double worst(std::span<const double> reference, std::span<const double> values) {
    double difference = 0;
    for (std::size_t i = 0; i < reference.size(); ++i) {
        if (reference[i] == values[i]) { continue; }
        const double relative = std::abs(values[i] - reference[i]) / std::abs(reference[i]);
        difference = std::max(difference, std::isfinite(relative) ? relative : INFINITY);
    }
    return difference;
}

/// Of a loss after so many steps, relative, with fast reductions.
double loss_tolerance(std::size_t step) {
    return step == 1 ? 1e-5 : 1e-4 * std::max(1.0, static_cast<double>(step) / 10);
}

bool within(std::span<const double> reference, std::span<const double> values, double factor) {
    for (std::size_t i = 0; i < reference.size(); ++i) {
        const double difference = std::abs(values[i] - reference[i]);
        if (!(difference <= factor * loss_tolerance(i + 1) * std::abs(reference[i]))) { return false; }
    }
    return true;
}

double norm_factor(const ModelSpec& model) {
    const auto kinds = layer_kinds(model);
    return std::ranges::all_of(kinds, is_softmax) ? 10 : 1000;
}

}  // namespace

RunSpec with_layout(RunSpec spec, const Layout& layout) {
    spec.layout.dp = layout.dp;
    spec.layout.tp = layout.tp;
    spec.layout.pp = layout.pp;
    if (layout.tp == 1) { spec.layout.sequence_parallel = false; }
    return spec;
}

std::string parameter_hash(TrainingSession& session) {
    struct FreeState {
        void operator()(XXH64_state_t* state) const noexcept { XXH64_freeState(state); }
    };
    const std::unique_ptr<XXH64_state_t, FreeState> state{XXH64_createState()};
    XXH64_reset(state.get(), 0);
    auto& parameters = session.parameters();
    for (std::size_t index = 0; index < parameters.size(); ++index) {
        const auto id = static_cast<ParameterId>(index);
        const auto& spec = parameters.spec(id);
        std::vector<float> whole(static_cast<std::size_t>(spec.shape.elements()));
        // A tied table's copy on the last stage belongs to the first.
        const bool is_copy = spec.two_uses && !session.model().part().embedding;
        if (session.topology().place().dp == 0 && !is_copy) { place_owned(session, id, whole); }
        session.topology().everyone().all_reduce_sum(std::span{whole});
        for (float& value : whole) { value += 0.0F; }  // a sum over ranks has no negative zeros, so nobody may
        XXH64_update(state.get(), whole.data(), whole.size() * sizeof(float));
    }
    return fmt::format("{:016x}", XXH64_digest(state.get()));
}

LayoutTrial try_layout(const RunSpec& spec, const WindowSource& train, int steps, int threads,
                       const Communicator* group) {
    const Layout layout = layout_of(spec);
    OperationLog operations;
    TrainingSession session{spec, train, threads,
                            group == nullptr ? Topology{spec.layout.reduction}
                                             : Topology{*group, layout, spec.layout.reduction, &operations}};
    Group& everyone = session.topology().everyone();
    LayoutTrial trial{.layout = layout,
                      .losses = {},
                      .gradient_norms = {},
                      .norm_factor = norm_factor(spec.model),
                      .parameter_hash = {}};
    std::vector<double> seconds;
    std::vector<double> waits;
    std::vector<double> bubbles;
    double bytes = 0;
    for (int step = 0; step < steps; ++step) {
        const auto start = Clock::now();
        const double sent_before = session.topology().bytes_sent();
        const double waited_before = operations.waited_seconds();
        const auto result = session.step();
        bytes = std::max(bytes, session.topology().bytes_sent() - sent_before);
        std::array slowest{std::chrono::duration<double>(Clock::now() - start).count(),
                           operations.waited_seconds() - waited_before};
        std::array stages{session.stage_times().waiting, session.stage_times().total};
        everyone.all_reduce_max(std::span{slowest});
        everyone.all_reduce_sum(std::span{stages});
        trial.losses.push_back(result.loss);
        trial.gradient_norms.push_back(result.gradient_norm);
        if (step == 0 && steps > 1) { continue; }  // allocates
        seconds.push_back(slowest[0]);
        waits.push_back(slowest[1]);
        bubbles.push_back(layout.pp > 1 && stages[1] > 0 ? stages[0] / stages[1] : 0);
    }
    std::array most{bytes, static_cast<double>(session.memory_bytes())};
    everyone.all_reduce_max(std::span{most});
    trial.bytes_per_rank = most[0];
    trial.memory_bytes = most[1];
    trial.step_seconds = median(std::move(seconds));
    trial.waiting_seconds = median(std::move(waits));
    trial.bubble = median(std::move(bubbles));
    trial.formula_bubble =
        layout.pp > 1 ? formula_bubble(session.plan().schedule, layout.pp, session.plan().micro_batches) : 0;
    trial.parameter_hash = parameter_hash(session);
    return trial;
}

LayoutDifference compare(const LayoutTrial& reference, const LayoutTrial& trial, Reduction reduction) {
    LayoutDifference difference{.loss = worst(reference.losses, trial.losses),
                                .gradient_norm = worst(reference.gradient_norms, trial.gradient_norms),
                                .same_parameters = reference.parameter_hash == trial.parameter_hash};
    if (reduction == Reduction::tree) {
        difference.within_promise = difference.loss == 0 && difference.gradient_norm == 0 && difference.same_parameters;
    } else {
        difference.within_promise = within(reference.losses, trial.losses, 1) &&
                                    within(reference.gradient_norms, trial.gradient_norms, reference.norm_factor);
    }
    return difference;
}

std::int64_t common_micro_batch(const RunSpec& spec, std::span<const Layout> layouts) {
    const auto problems_with = [&](std::int64_t micro_batch) {
        std::string text;
        for (const Layout& layout : layouts) {
            RunSpec tried = with_layout(spec, layout);
            tried.train.micro_batch = micro_batch;
            for (const auto& problem : layout_problems(tried)) {
                text += fmt::format("\n  {}: {}", to_string(layout), problem);
            }
        }
        return text;
    };
    const auto sequences = spec.train.batch_tokens / spec.model.context;
    const auto most =
        spec.train.micro_batch > 0 ? spec.train.micro_batch : choose_micro_batch(decoder_config(spec), sequences);
    const auto least = spec.train.micro_batch > 0 ? spec.train.micro_batch : 1;
    std::string problems;
    for (auto micro_batch = most; micro_batch >= least; --micro_batch) {
        problems = problems_with(micro_batch);
        if (problems.empty()) { return micro_batch; }
    }
    throw InputError{"not every layout can be trained with this run:" + problems};
}

}  // namespace loglog
