#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/nn/parameterization.hpp"
#include "engine/optim/schedule.hpp"

namespace loglog {

enum class OptimizerKind { adamw };
enum class DecayKind { linear, sqrt };  ///< of wsd's cooldown: 1 - x, or 1 - sqrt(x)
enum class Precision { fp32, bf16, fp16 };

struct OptimizerSpec {
    OptimizerKind kind = OptimizerKind::adamw;
    double lr = 1e-3;  ///< peak learning rate (with mup, at the base width)
    std::array<double, 2> betas{0.9, 0.95};
    double eps = 1e-8;
    double weight_decay = 0.1;  ///< decoupled: a step shrinks a weight by lr * weight_decay
    double clip = 1.0;          ///< largest global gradient norm; 0: no clipping

    bool operator==(const OptimizerSpec&) const = default;
};

/// The learning rate over a run, as a multiple of the peak. See warmup_steps() and cooldown_steps().
struct ScheduleSpec {
    ScheduleKind kind = ScheduleKind::cosine;
    double warmup = 0.02;                 ///< below 1: fraction of the run's steps; from 1 on: steps. Linear from 0
    double cooldown = 0.2;                ///< wsd: fraction of the run's steps, at the end
    DecayKind decay = DecayKind::linear;  ///< wsd: shape of the cooldown
    double min_ratio = 0.0;               ///< cosine and wsd: final rate over peak rate

    bool operator==(const ScheduleSpec&) const = default;
};

/// What mup's multipliers are relative to: at the base shape mup equals sp.
struct MupSpec {
    std::int64_t base_width = 64;
    std::int64_t base_layers = 2;
    std::int64_t base_head_dim = 0;  ///< 0: the model's head_dim
    double depth_alpha = 1.0;        ///< residual branches are scaled by (layers / base_layers)^-alpha; 0.5 or 1 usual

    bool operator==(const MupSpec&) const = default;
};

/// How a model is trained. A resolved spec holds no zero that means "derived", micro_batch apart.
struct TrainSpec {
    std::int64_t tokens = 1'000'000;    ///< tokens whose loss is trained on; resolve() rounds to whole batches
    std::int64_t batch_tokens = 8'192;  ///< tokens per optimizer step over all ranks: a multiple of model.context
    std::int64_t micro_batch = 0;       ///< sequences per forward and backward pass; 0: chosen for the cache
    OptimizerSpec optimizer;
    ScheduleSpec schedule;
    ParameterizationKind parameterization = ParameterizationKind::sp;
    MupSpec mup;
    double z_loss = 0.0;                ///< weight of log(Z)^2
    std::int64_t eval_every = 0;        ///< optimizer steps between evaluations; 0: 10 in a run. The last step always
    std::int64_t eval_tokens = 65'536;  ///< validation tokens of an evaluation: the same ones every time
    std::int64_t checkpoint_every = 0;  ///< optimizer steps between checkpoints; 0: by time, and when stopped
    std::int64_t keep_last = 1;         ///< checkpoints that stay: the newest so many...
    std::vector<std::int64_t> keep_at;  ///< ...and for good those of these steps, where one is made in any case
    std::uint64_t seed = 1;             ///< of initial values, dropout and data order
    bool document_boundaries = false;   ///< whether nothing is seen of the documents before in a window
    Precision precision = Precision::fp32;
    std::int64_t threads = 0;  ///< of a run; 0: cores / ranks

    bool operator==(const TrainSpec&) const = default;
};

std::string to_string(OptimizerKind);
std::string to_string(ScheduleKind);
std::string to_string(DecayKind);
std::string to_string(ParameterizationKind);
std::string to_string(Precision);

}  // namespace loglog
