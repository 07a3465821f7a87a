#include "experiments/run/training_session.hpp"

#include <algorithm>
#include <utility>

#include "engine/base/error.hpp"
#include "experiments/run/estimate.hpp"
#include "experiments/run/evaluation_sums.hpp"

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

std::int64_t count_targets(std::span<const std::int32_t> targets) {
    return static_cast<std::int64_t>(targets.size()) - std::count(targets.begin(), targets.end(), -1);
}

/// starts[i]: the place in its sequence where the document of token i begins. A document's last token ends it.
void mark_documents(std::span<const std::int32_t> tokens, std::size_t time, std::int32_t end_of_document,
                    std::span<std::int32_t> starts) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        const std::size_t place = i % time;
        if (place == 0) {
            starts[i] = 0;
        } else {
            starts[i] = tokens[i - 1] == end_of_document ? static_cast<std::int32_t>(place) : starts[i - 1];
        }
    }
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
      sequences_{spec.train.batch_tokens / spec.model.context / plan_.layout.dp} {
    model_.initialize(Seed{spec.train.seed});
}

void TrainingSession::load(const WindowSource& source, std::uint64_t first_position, std::int64_t sequences) {
    const auto context = static_cast<std::size_t>(spec_.model.context);
    tokens_.resize(static_cast<std::size_t>(sequences) * context);
    targets_.resize(tokens_.size());
    for (std::size_t s = 0; s < static_cast<std::size_t>(sequences); ++s) {
        source(first_position + s, std::span{tokens_}.subspan(s * context, context),
               std::span{targets_}.subspan(s * context, context));
    }
    if (!spec_.train.document_boundaries) { return; }
    if (!source.end_of_document()) {
        throw InputError{"train.document_boundaries needs data that is made of documents"};
    }
    document_start_.resize(tokens_.size());
    mark_documents(tokens_, context, *source.end_of_document(), document_start_);
}

/// Targets of the whole batch, other ranks' share of it too: every rank must divide by the same number before it has
/// heard of the others. Their labelled data is made here for that; this rank's is loaded.
std::int64_t TrainingSession::count_labels(std::uint64_t first_position) {
    if (!train_.has_labels()) { return spec_.train.batch_tokens; }
    std::int64_t labels = count_targets(targets_);
    if (plan_.layout.dp == 1) { return labels; }
    const auto context = static_cast<std::size_t>(spec_.model.context);
    std::vector<std::int32_t> tokens(context);
    std::vector<std::int32_t> targets(context);
    const auto own = static_cast<std::uint64_t>(sequences_);
    const auto rank = static_cast<std::uint64_t>(topology_.place().dp);
    for (std::uint64_t s = 0; s < own * static_cast<std::uint64_t>(plan_.layout.dp); ++s) {
        if (s / own == rank) { continue; }
        train_(first_position + s, tokens, targets);
        labels += count_targets(targets);
    }
    return labels;
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

std::vector<StepInfo> TrainingSession::document_infos(std::span<const TokenBatch> batches) const {
    std::vector<StepInfo> infos(batches.size());
    if (!spec_.train.document_boundaries) { return infos; }
    for (std::size_t i = 0; i < infos.size(); ++i) {
        const auto first = static_cast<std::size_t>(batches[i].tokens.data() - tokens_.data());
        infos[i].document_start = std::span{document_start_}.subspan(first, batches[i].tokens.size());
    }
    return infos;
}

StepResult TrainingSession::step(StepRequests requests) {
    const auto batch_tokens = static_cast<double>(spec_.train.batch_tokens);
    const auto first_sequence = topology_.place().dp * sequences_;
    const auto first_position = static_cast<std::uint64_t>(steps_done_ * sequences_ * plan_.layout.dp);
    load(train_, first_position + static_cast<std::uint64_t>(first_sequence), sequences_);
    const auto labels = count_labels(first_position);
    const auto batches = micro_batches(sequences_);
    auto infos = document_infos(batches);
    for (std::size_t i = 0; i < infos.size(); ++i) {
        infos[i].seed = Seed{spec_.train.seed};
        infos[i].step = static_cast<std::uint64_t>(steps_done_);
        infos[i].first_sequence =
            static_cast<std::uint64_t>(first_sequence + static_cast<std::int64_t>(i) * plan_.micro_batch);
        infos[i].gradient_scale = 1.0 / static_cast<double>(labels);
    }
    infos.back().listener = exchange_.listener();

    exchange_.begin_step();
    const auto losses = stage_.train(batches, infos, [this](int chunk, int micro_batch, PipelineOp step) {
        exchange_.after_micro_batch(chunk, micro_batch, step);
    });
    std::vector<double> sums;
    for (const auto& loss : losses) { sums.push_back(loss.sum); }
    const auto totals = exchange_.finish(sums, requests);

    StepResult result{.loss = totals.loss_sum / static_cast<double>(labels),
                      .labels = labels,
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

Evaluation TrainingSession::evaluate(const WindowSource& validation, std::uint64_t count,
                                     std::span<const std::uint8_t> marked) {
    const auto& place = topology_.place();
    const auto windows = static_cast<std::int64_t>(count);
    const auto first = windows * place.dp / plan_.layout.dp;
    const auto own = windows * (place.dp + 1) / plan_.layout.dp - first;

    EvaluationSums sums{count, static_cast<std::size_t>(spec_.model.context), position_buckets};
    load(validation, static_cast<std::uint64_t>(first), own);
    std::size_t done = 0;
    const auto use = [&](std::size_t micro_batch, const PipelineStage::Outcome& outcome) {
        if (place.tp != 0) { return; }
        const auto loaded = (done + micro_batch) * static_cast<std::size_t>(plan_.micro_batch * spec_.model.context);
        const auto token = static_cast<std::size_t>(first * spec_.model.context) + loaded;
        const auto size = outcome.losses.size();
        sums.add(token, {.targets = std::span{targets_}.subspan(loaded, size),
                         .losses = outcome.losses,
                         .correct = outcome.correct,
                         .marked = marked.empty() ? marked : marked.subspan(token, size)});
    };
    // A pipeline's messages have one size, so what is left of whole micro-batches goes by itself.
    const auto batches = micro_batches(own);
    const auto infos = document_infos(batches);
    const auto whole = static_cast<std::size_t>(own / plan_.micro_batch);
    if (whole > 0) { stage_.evaluate(std::span{batches}.first(whole), std::span{infos}.first(whole), use); }
    done = whole;
    if (whole < batches.size()) {
        stage_.evaluate(std::span{batches}.subspan(whole), std::span{infos}.subspan(whole), use);
    }
    topology_.everyone().all_reduce_sum(sums.values());
    return sums.evaluation({.labelled = validation.has_labels(), .marked = !marked.empty()});
}

std::size_t TrainingSession::memory_bytes() const noexcept {
    const auto& parameters = model_.parameters();
    return parameters.value_bytes() + parameters.gradient_bytes() + exchange_.memory_bytes() +
           stage_.activation_bytes();
}

}  // namespace loglog
