#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "distributed/collectives/reduction.hpp"
#include "distributed/pipeline_parallel/schedule.hpp"
#include "engine/data/probe_task.hpp"
#include "experiments/spec/model_spec.hpp"
#include "experiments/spec/train_spec.hpp"

namespace loglog {

/// Zipf-distributed text made on the fly, for tests.
struct SyntheticData {
    std::int64_t documents = 0;  ///< 0: none, the data is at DataSpec::path
    std::uint64_t seed = 0;

    bool operator==(const SyntheticData&) const = default;
};

/// Examples of a probe made on the fly, each of the model's context.
struct ProbeData {
    ProbeTask task = ProbeTask::none;
    std::int64_t size = 8;       ///< mqar: pairs; copy, palindrome, noisy_copy: longest string; induction: not read
    std::int64_t vocab = 8'192;  ///< mqar, induction; copies have 26 letters
    std::int64_t examples = 100'000;  ///< to train on, seen again in each epoch
    std::uint64_t seed = 1;
    double stop_at = 0;  ///< a run ends when an evaluation's accuracy reaches this; 0: never before its last step

    bool operator==(const ProbeData&) const = default;
};

/// What is trained on: a folder made by `data build`, synthetic text, or a probe; exactly one of them.
struct DataSpec {
    std::string path;  ///< as written in the spec, relative to the working directory; empty: made on the fly
    SyntheticData synthetic;
    ProbeData probe;

    bool is_synthetic() const noexcept { return synthetic.documents > 0; }
    bool is_probe() const noexcept { return probe.task != ProbeTask::none; }
    bool operator==(const DataSpec&) const = default;
};

/// How one run is split over ranks: data, tensor and pipeline parallel.
struct LayoutSpec {
    std::int64_t dp = 1;
    std::int64_t tp = 1;
    std::int64_t pp = 1;
    PipelineSchedule schedule = PipelineSchedule::one_f_one_b;
    std::int64_t micro_batches = 0;  ///< per data-parallel rank and step; 0: follows from train.micro_batch
    std::int64_t zero = 0;           ///< ZeRO stage: 1 shards the optimizer's moments over dp
    bool sequence_parallel = false;
    Reduction reduction = Reduction::fast;

    std::int64_t ranks() const noexcept { return dp * tp * pp; }
    bool operator==(const LayoutSpec&) const = default;
};

std::string to_string(ProbeTask);
std::string to_string(PipelineSchedule);
std::string to_string(Reduction);

/// A typed description of one run. Read by load_run_spec() (load.hpp), completed by resolve().
struct RunSpec {
    std::string name;  ///< free text; no part of the run's identity
    DataSpec data;
    ModelSpec model;
    TrainSpec train;
    LayoutSpec layout;

    bool operator==(const RunSpec&) const = default;
};

/// Fills what follows from other fields: vocab (from `data_vocab` where the spec has none), heads, head_dim, kv_heads,
/// mlp_width, mup.base_head_dim, eval_every; rounds tokens to whole batches (at least one). Idempotent.
/// Throws InputError listing everything that is impossible (heads that do not divide, a vocabulary below the
/// data's...).
RunSpec resolve(const RunSpec& spec, std::int64_t data_vocab);

/// Optimizer steps of a resolved run.
std::int64_t total_steps(const RunSpec& resolved);
/// Steps of linear warm-up and of the final cooldown (0 unless wsd), of total_steps().
std::int64_t warmup_steps(const RunSpec& resolved);
std::int64_t cooldown_steps(const RunSpec& resolved);

/// Throws InputError when this build cannot train the spec (an attention kind or precision it does not have).
void require_trainable(const RunSpec& spec);

/// Canonical JSON: sorted keys, every field, shortest round-trip numbers. The same spec gives the same bytes.
/// `indent` < 0: one line.
std::string to_json(const RunSpec& spec, int indent = -1);
/// Inverse of to_json(). Throws InputError naming what does not fit.
RunSpec run_spec_from_json(std::string_view text);

/// Identity of a run: 12 characters (0-9 a-z without i, l, o, u) of the XXH3-128 hash of the resolved spec, data hash
/// and code version; `repeat` > 1 appends "-2", "-3", ... Fields that cannot change a result are left out: name,
/// data.path (the hash says it), train.threads, train.checkpoint_every, train.keep_last, train.keep_at, layout.
std::string run_id(const RunSpec& resolved, std::string_view data_hash, std::string_view code_version,
                   std::int64_t repeat = 1);

}  // namespace loglog
