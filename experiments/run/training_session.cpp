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

TrainingSession::TrainingSession(const RunSpec& spec, WindowSource train, int threads)
    : spec_{spec},
      train_{std::move(train)},
      model_{decoder_config(spec)},
      context_{CpuContext{threads}},
      training_tape_{context_, activations_, Mode::train},
      evaluation_tape_{context_, activations_, Mode::evaluate},
      schedule_{schedule_of(spec)},
      optimizer_{optimizer_of(spec.train.optimizer)},
      sequences_{spec.train.batch_tokens / spec.model.context},
      micro_batch_{estimate(spec).micro_batch},
      window_(static_cast<std::size_t>(spec.model.context) + 1),
      tokens_(static_cast<std::size_t>(micro_batch_ * spec.model.context)),
      targets_(tokens_.size()) {
    model_.initialize(Seed{spec.train.seed});
}

void TrainingSession::load(const WindowSource& source, std::uint64_t first_position, std::int64_t sequences) {
    const auto context = window_.size() - 1;
    for (std::size_t s = 0; s < static_cast<std::size_t>(sequences); ++s) {
        source(first_position + s, window_);
        std::copy_n(window_.begin(), context, tokens_.begin() + static_cast<std::ptrdiff_t>(s * context));
        std::copy_n(window_.begin() + 1, context, targets_.begin() + static_cast<std::ptrdiff_t>(s * context));
    }
}

TokenBatch TrainingSession::batch(std::int64_t sequences) const {
    const auto count = static_cast<std::size_t>(sequences * spec_.model.context);
    return {.tokens = std::span{tokens_}.first(count),
            .targets = std::span{targets_}.first(count),
            .sequences = sequences,
            .time = spec_.model.context};
}

StepResult TrainingSession::step() {
    auto& parameters = model_.parameters();
    const auto batch_tokens = static_cast<double>(sequences_ * spec_.model.context);
    const auto first_position = static_cast<std::uint64_t>(steps_done_ * sequences_);

    parameters.begin_step();
    double loss_sum = 0;
    for (std::int64_t first = 0; first < sequences_; first += micro_batch_) {
        const auto sequences = std::min(micro_batch_, sequences_ - first);
        load(train_, first_position + static_cast<std::uint64_t>(first), sequences);
        training_tape_.reset();
        const StepInfo info{.seed = Seed{spec_.train.seed},
                            .step = static_cast<std::uint64_t>(steps_done_),
                            .first_sequence = static_cast<std::uint64_t>(first),
                            .gradient_scale = 1.0 / batch_tokens};
        loss_sum += model_.loss(training_tape_, batch(sequences), info).sum;
        training_tape_.backward();
    }
    parameters.finish_step(context_);

    StepResult result{.loss = loss_sum / batch_tokens, .lr = learning_rate(schedule_, steps_done_)};
    const auto report = adamw_step(context_, parameters, optimizer_, result.lr, steps_done_ + 1);
    result.gradient_norm = report.gradient_norm;
    result.clipped = report.clip_coefficient < 1;
    ++steps_done_;
    return result;
}

Evaluation TrainingSession::evaluate(const WindowSource& validation, std::uint64_t count) {
    const auto context = static_cast<std::size_t>(spec_.model.context);
    std::vector<double> sums(std::min(position_buckets, context));
    std::vector<std::uint64_t> counts(sums.size());
    for (std::uint64_t first = 0; first < count;) {
        const auto sequences = std::min<std::int64_t>(micro_batch_, static_cast<std::int64_t>(count - first));
        load(validation, first, sequences);
        evaluation_tape_.reset();
        const auto losses = model_.loss(evaluation_tape_, batch(sequences), StepInfo{}).token_losses.values<float>();
        for (std::size_t token = 0; token < losses.size(); ++token) {
            const std::size_t bucket = token % context * sums.size() / context;
            sums[bucket] += losses[token];
            ++counts[bucket];
        }
        first += static_cast<std::uint64_t>(sequences);
    }
    Evaluation evaluation;
    const auto tokens = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
    evaluation.loss = std::accumulate(sums.begin(), sums.end(), 0.0) / static_cast<double>(tokens);
    for (std::size_t bucket = 0; bucket < sums.size(); ++bucket) {
        evaluation.loss_by_position.push_back(sums[bucket] / static_cast<double>(counts[bucket]));
    }
    return evaluation;
}

std::size_t TrainingSession::memory_bytes() const noexcept {
    const auto& parameters = model_.parameters();
    return parameters.value_bytes() + parameters.gradient_bytes() + parameters.moment_bytes() +
           activations_.peak_bytes();
}

}  // namespace loglog
