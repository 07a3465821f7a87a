#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.hpp"
#include "experiments/spec/fields.hpp"
#include "experiments/spec/resolve_parts.hpp"
#include "experiments/spec/run_spec.hpp"

namespace loglog {
namespace {

std::int64_t default_head_dim(const ModelSpec& model) { return model.width < 512 ? 32 : 64; }

// heads and head_dim, each from the other; 0 where that is impossible.
struct Heads {
    std::int64_t count;
    std::int64_t dim;
};
Heads heads_of(const ModelSpec& model) {
    if (model.heads > 0 && model.head_dim > 0) { return {model.heads, model.head_dim}; }
    if (model.heads > 0) { return {model.heads, model.width % model.heads == 0 ? model.width / model.heads : 0}; }
    const std::int64_t dim = model.head_dim > 0 ? model.head_dim : default_head_dim(model);
    return {model.width % dim == 0 ? model.width / dim : 0, dim};
}

void check_heads(const ModelSpec& model, std::vector<SpecProblem>& problems) {
    const Heads heads = heads_of(model);
    if (heads.dim == 0) {
        problems.push_back(
            {{},
             "model.heads",
             fmt::format("is {} but must divide model.width = {} (or give model.head_dim)", model.heads, model.width)});
        return;
    }
    if (heads.count == 0) {
        problems.push_back({{},
                            model.head_dim > 0 ? "model.head_dim" : "model.width",
                            fmt::format("model.head_dim = {} does not divide model.width = {} (or give model.heads)",
                                        heads.dim, model.width)});
        return;
    }
    if (model.kv_heads > 0 && heads.count % model.kv_heads != 0) {
        problems.push_back({{},
                            "model.kv_heads",
                            fmt::format("is {} but must divide the {} query heads", model.kv_heads, heads.count)});
    }
    if (model.positions == PositionKind::rotary && heads.dim % 2 != 0) {
        problems.push_back(
            {{},
             "model.positions",
             fmt::format("rotary needs an even head_dim: it turns pairs, and head_dim is {}", heads.dim)});
    }
}

void check_batch(const RunSpec& spec, std::vector<SpecProblem>& problems) {
    const std::int64_t context = spec.model.context;
    const std::int64_t batch = spec.train.batch_tokens;
    if (batch % context != 0) {
        problems.push_back(
            {{},
             "train.batch_tokens",
             fmt::format("is {} but must be a multiple of model.context = {} (whole sequences), such as {}", batch,
                         context, std::max<std::int64_t>(1, (batch + context / 2) / context) * context)});
    } else if (spec.train.micro_batch > batch / context) {
        problems.push_back({{},
                            "train.micro_batch",
                            fmt::format("is {} sequences but a batch has only {} (train.batch_tokens / model.context)",
                                        spec.train.micro_batch, batch / context)});
    }
}

void check_schedule(const RunSpec& spec, std::vector<SpecProblem>& problems) {
    const ScheduleSpec& schedule = spec.train.schedule;
    if (schedule.kind == ScheduleKind::wsd && schedule.warmup < 1 && schedule.warmup + schedule.cooldown > 1) {
        problems.push_back({{},
                            "train.schedule.cooldown",
                            fmt::format("warmup = {} and cooldown = {} overlap: their sum must be at most 1",
                                        schedule.warmup, schedule.cooldown)});
    }
    if (schedule.warmup >= 1 && schedule.warmup != std::floor(schedule.warmup)) {
        problems.push_back(
            {{},
             "train.schedule.warmup",
             fmt::format("is {} but must be a fraction below 1 or a whole number of steps", schedule.warmup)});
    }
}

void check_data(const DataSpec& data, std::vector<SpecProblem>& problems) {
    const int given = (data.path.empty() ? 0 : 1) + (data.is_synthetic() ? 1 : 0) + (data.is_probe() ? 1 : 0);
    if (given == 0) {
        problems.push_back({{},
                            "data.path",
                            "no data: give data.path (a folder made by 'loglog data build'), data.synthetic = "
                            "{ documents = 200, seed = 5 } or data.probe = { task = \"mqar\" }"});
    } else if (given > 1 && data.path.empty()) {
        problems.push_back({{}, "data.probe.task", "is given and so is data.synthetic: give one of the two"});
    } else if (given > 1) {
        problems.push_back({{},
                            "data.path",
                            fmt::format("is given and so is {}: give one of the two",
                                        data.is_synthetic() ? "data.synthetic" : "data.probe")});
    }
}

std::int64_t rounded_tokens(const TrainSpec& train) {
    const double batches = std::round(static_cast<double>(train.tokens) / static_cast<double>(train.batch_tokens));
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(batches)) * train.batch_tokens;
}

std::int64_t resolved_vocab(const ModelSpec& model, std::int64_t data_vocab, std::vector<SpecProblem>& problems) {
    const std::int64_t vocab = model.vocab > 0 ? model.vocab : data_vocab;
    if (vocab <= 0) {
        problems.push_back({{}, "model.vocab", "is not given, and there is no data set to take it from"});
    } else if (vocab < data_vocab) {
        problems.push_back(
            {{},
             "model.vocab",
             fmt::format("is {} but must be at least {}, the data set's vocabulary", vocab, data_vocab)});
    }
    return vocab;
}

}  // namespace

std::int64_t default_mlp_width(const ModelSpec& model) {
    if (model.activation == ActivationKind::none) { return 0; }
    if (model.activation != ActivationKind::swiglu) { return 4 * model.width; }
    // Three matrices instead of two: 8/3 keeps the parameters of 4 x width.
    return std::max<std::int64_t>(8, (model.width * 8 / 3 + 4) / 8 * 8);
}

std::vector<SpecProblem> check(const RunSpec& spec) {
    std::vector<SpecProblem> problems;
    check_data(spec.data, problems);
    check_heads(spec.model, problems);
    check_batch(spec, problems);
    check_schedule(spec, problems);
    detail::check_attention(spec, problems);
    detail::check_probe(spec, problems);
    return problems;
}

RunSpec resolve(const RunSpec& spec, std::int64_t data_vocab) {
    std::vector<SpecProblem> problems = check(spec);
    RunSpec resolved = spec;
    ModelSpec& model = resolved.model;
    model.vocab = resolved_vocab(model, data_vocab, problems);
    throw_if_any(problems);

    const Heads heads = heads_of(model);
    model.heads = heads.count;
    model.head_dim = heads.dim;
    if (model.kv_heads == 0) { model.kv_heads = model.heads; }
    if (model.mlp_width == 0) { model.mlp_width = default_mlp_width(model); }
    detail::resolve_attention(resolved, problems);
    throw_if_any(problems);

    TrainSpec& train = resolved.train;
    train.tokens = rounded_tokens(train);
    if (train.mup.base_head_dim == 0) { train.mup.base_head_dim = model.head_dim; }
    if (train.eval_every == 0) { train.eval_every = std::max<std::int64_t>(1, total_steps(resolved) / 10); }
    return resolved;
}

std::int64_t total_steps(const RunSpec& resolved) { return resolved.train.tokens / resolved.train.batch_tokens; }

std::int64_t warmup_steps(const RunSpec& resolved) {
    const double warmup = resolved.train.schedule.warmup;
    const std::int64_t steps = total_steps(resolved);
    const double wanted = warmup < 1 ? std::round(warmup * static_cast<double>(steps)) : warmup;
    return std::min(steps, static_cast<std::int64_t>(wanted));
}

std::int64_t cooldown_steps(const RunSpec& resolved) {
    if (resolved.train.schedule.kind != ScheduleKind::wsd) { return 0; }
    const std::int64_t steps = total_steps(resolved);
    const double wanted = std::round(resolved.train.schedule.cooldown * static_cast<double>(steps));
    return std::min(steps - warmup_steps(resolved), static_cast<std::int64_t>(wanted));
}

void require_trainable(const RunSpec& spec) {
    std::vector<SpecProblem> problems;
    if (spec.train.precision != Precision::fp32) {
        problems.push_back({{},
                            "train.precision",
                            fmt::format("precision '{}' is not available in this build (available: fp32)",
                                        to_string(spec.train.precision))});
    }
    throw_if_any(problems);
}

}  // namespace loglog
