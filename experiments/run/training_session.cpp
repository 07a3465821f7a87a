#include "experiments/run/training_session.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "experiments/run/estimate.hpp"

namespace loglog {
namespace {

Schedule schedule_of(const RunSpec& spec) {
    const auto& schedule = spec.train.schedule;
    return {.kind = schedule.kind,
            .peak = spec.train.optimizer.lr,
            .total_steps = total_steps(spec),
            .warmup_steps = warmup_steps(spec),
            .cooldown_steps = cooldown_steps(spec),
            .cooldown = schedule.decay == DecayKind::linear ? Cooldown::linear : Cooldown::one_minus_sqrt,
            .min_ratio = schedule.min_ratio};
}

AdamWSettings optimizer_of(const OptimizerSpec& optimizer) {
    return {.beta1 = optimizer.betas[0],
            .beta2 = optimizer.betas[1],
            .epsilon = optimizer.eps,
            .weight_decay = optimizer.weight_decay,
            .clip = optimizer.clip};
}

}  // namespace

TrainingSession::TrainingSession(const RunSpec& spec, WindowSource train, int threads, Topology topology)
    : spec_{spec},
      train_{std::move(train)},
      plan_{parallel_plan(spec)},
      topology_{topology.is_alone() ? Topology{plan_.reduction} : std::move(topology)},
      model_{decoder_config(spec),
             Purpose::training,
             DType::float32,
             Backing::memory,
             part_of(plan_, topology_.place(), &topology_.tensor()),
             plan_.zero > 0 ? Moments::elsewhere : Moments::here},
      context_{CpuContext{threads}},
      stage_{context_, model_, topology_.pipeline(), plan_.schedule},
      exchange_{context_, model_, topology_, {.zero = plan_.zero, .micro_batches = plan_.micro_batches}},
      schedule_{schedule_of(spec)},
      optimizer_{optimizer_of(spec.train.optimizer)},
      sequences_{spec.train.batch_tokens / spec.model.context / plan_.layout.dp},
      window_(static_cast<std::size_t>(spec.model.context) + 1) {
    model_.initialize(Seed{spec.train.seed});
}

void TrainingSession::load(const WindowSource& source, std::uint64_t first_position, std::int64_t sequences) {
    const auto context = window_.size() - 1;
    tokens_.resize(static_cast<std::size_t>(sequences) * context);
    targets_.resize(tokens_.size());
    for (std::size_t s = 0; s < static_cast<std::size_t>(sequences); ++s) {
        source(first_position + s, window_);
        std::copy_n(window_.begin(), context, tokens_.begin() + static_cast<std::ptrdiff_t>(s * context));
        std::copy_n(window_.begin() + 1, context, targets_.begin() + static_cast<std::ptrdiff_t>(s * context));
    }
}

std::vector<TokenBatch> TrainingSession::micro_batches(std::int64_t sequences) const {
    const auto context = spec_.model.context;
    std::vector<TokenBatch> batches;
    for (std::int64_t first = 0; first < sequences; first += plan_.micro_batch) {
        const auto count = std::min(plan_.micro_batch, sequences - first);
        const auto begin = static_cast<std::size_t>(first * context);
        const auto size = static_cast<std::size_t>(count * context);
        batches.push_back({.tokens = std::span{tokens_}.subspan(begin, size),
                           .targets = std::span{targets_}.subspan(begin, size),
                           .sequences = count,
                           .time = context});
    }
    return batches;
}

StepResult TrainingSession::step(StepRequests requests) {
    const auto batch_tokens = static_cast<double>(spec_.train.batch_tokens);
    const auto first_sequence = topology_.place().dp * sequences_;
    load(train_, static_cast<std::uint64_t>(steps_done_ * sequences_ * plan_.layout.dp + first_sequence), sequences_);
    const auto batches = micro_batches(sequences_);
    std::vector<StepInfo> infos(batches.size());
    for (std::size_t i = 0; i < infos.size(); ++i) {
        infos[i] = {.seed = Seed{spec_.train.seed},
                    .step = static_cast<std::uint64_t>(steps_done_),
                    .first_sequence =
                        static_cast<std::uint64_t>(first_sequence + static_cast<std::int64_t>(i) * plan_.micro_batch),
                    .gradient_scale = 1.0 / batch_tokens};
    }
    infos.back().listener = exchange_.listener();

    exchange_.begin_step();
    const auto losses = stage_.train(batches, infos, [this](int chunk, int micro_batch, PipelineOp step) {
        exchange_.after_micro_batch(chunk, micro_batch, step);
    });
    std::vector<double> sums;
    for (const auto& loss : losses) { sums.push_back(loss.sum); }
    const auto totals = exchange_.finish(sums, requests);

    StepResult result{.loss = totals.loss_sum / batch_tokens,
                      .gradient_norm = totals.gradient_norm,
                      .lr = learning_rate(schedule_, steps_done_),
                      .noise_scale = {},
                      .stop_requested = totals.requests.stop,
                      .checkpoint_requested = totals.requests.checkpoint};
    const auto report = exchange_.update(optimizer_, result.lr, steps_done_ + 1, totals.gradient_norm);
    result.clipped = report.clip_coefficient < 1;
    noise_scale_.observe(totals, batch_tokens);
    result.noise_scale = noise_scale_.value();
    ++steps_done_;
    return result;
}

Evaluation TrainingSession::evaluate(const WindowSource& validation, std::uint64_t count) {
    const auto context = static_cast<std::size_t>(spec_.model.context);
    const auto buckets = std::min(position_buckets, context);
    const auto& place = topology_.place();
    const auto windows = static_cast<std::int64_t>(count);
    const auto first = windows * place.dp / plan_.layout.dp;
    const auto own = windows * (place.dp + 1) / plan_.layout.dp - first;

    // One entry per window and bucket, filled by one rank and zero elsewhere: their sum over ranks is exact, and adding
    // them up in the windows' order gives the same bits in every layout.
    std::vector<double> sums(count * buckets);
    load(validation, static_cast<std::uint64_t>(first), own);
    std::size_t done = 0;
    const auto use = [&](std::size_t micro_batch, std::span<const float> losses) {
        if (place.tp != 0) { return; }
        const auto base =
            static_cast<std::size_t>(first) + (done + micro_batch) * static_cast<std::size_t>(plan_.micro_batch);
        for (std::size_t token = 0; token < losses.size(); ++token) {
            const auto bucket = token % context * buckets / context;
            sums[(base + token / context) * buckets + bucket] += losses[token];
        }
    };
    // A pipeline's messages have one size, so what is left of whole micro-batches goes by itself.
    const auto batches = micro_batches(own);
    const auto whole = static_cast<std::size_t>(own / plan_.micro_batch);
    if (whole > 0) { stage_.evaluate(std::span{batches}.first(whole), use); }
    done = whole;
    if (whole < batches.size()) { stage_.evaluate(std::span{batches}.subspan(whole), use); }
    topology_.everyone().all_reduce_sum(std::span{sums});

    Evaluation evaluation;
    evaluation.loss =
        std::accumulate(sums.begin(), sums.end(), 0.0) / (static_cast<double>(count) * static_cast<double>(context));
    for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
        std::size_t positions = 0;
        for (std::size_t i = 0; i < context; ++i) { positions += i * buckets / context == bucket; }
        double sum = 0;
        for (std::size_t window = 0; window < count; ++window) { sum += sums[window * buckets + bucket]; }
        evaluation.loss_by_position.push_back(sum / static_cast<double>(count * positions));
    }
    return evaluation;
}

std::size_t TrainingSession::memory_bytes() const noexcept {
    const auto& parameters = model_.parameters();
    return parameters.value_bytes() + parameters.gradient_bytes() + exchange_.memory_bytes() +
           stage_.activation_bytes();
}

}  // namespace loglog
