#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace loglog {

/// The one state a logical run is in, whatever number of processes worked on it.
enum class RunState {
    planned,   ///< described, never started
    running,   ///< a process trains it, or did when last heard of
    ok,        ///< trained to its last step
    diverged,  ///< the loss became useless; the curve up to there is kept
    failed,    ///< an error ended it
    stopped,   ///< interrupted by a signal or walltime; the same command goes on
};

/// The text stored in files and in the registry: "planned", "running", ...
const char* to_text(RunState state) noexcept;
/// Throws InputError for any other text.
RunState run_state_from(std::string_view text);

/// Everything the registry knows of one run: one member per column of the view `runs`, in the view's order.
/// What is not known (yet) is empty, NULL in SQL. docs/formats.md gives each column's meaning and unit.
struct RunRecord {
    std::string id;
    std::string sweep;
    std::string name;
    RunState state = RunState::planned;
    std::string state_reason;

    std::string family;
    std::string attention;
    std::optional<std::int64_t> layers;
    std::optional<std::int64_t> width;
    std::optional<std::int64_t> heads;
    std::optional<std::int64_t> kv_heads;
    std::optional<std::int64_t> head_dim;
    std::optional<std::int64_t> mlp_width;
    std::optional<std::int64_t> context;
    std::optional<std::int64_t> vocab;

    std::optional<std::int64_t> total_params;
    std::optional<std::int64_t> embedding_params;
    std::optional<std::int64_t> head_params;
    std::optional<std::int64_t> non_embedding_params;

    std::optional<std::int64_t> tokens;         ///< D: trained so far; what is planned while the run is planned
    std::optional<std::int64_t> unique_tokens;  ///< distinct tokens among them
    std::optional<double> flops;                ///< C: model FLOPs for `tokens`
    std::optional<double> flops_6nd;            ///< 6 * non_embedding_params * tokens, a convention beside `flops`
    std::optional<double> flops_per_token;      ///< exact model FLOPs per trained token, forward and backward
    std::optional<std::int64_t> batch_tokens;
    std::optional<std::int64_t> seed;
    std::optional<double> lr;  ///< the schedule's peak
    std::string parameterization;

    std::optional<double> final_train_loss;  ///< nats per token, of the last step
    std::optional<double> final_val_loss;    ///< nats per token, of the last evaluation
    std::optional<double> best_val_loss;     ///< the least of any evaluation
    std::optional<double> bits_per_byte;     ///< of the last evaluation
    std::optional<double> accuracy;          ///< share of targets with the largest logit, last evaluation; probes only
    std::optional<double> recall_loss;       ///< nats per token, of recall tokens, last evaluation; text only
    std::optional<std::int64_t> steps;       ///< done so far
    std::optional<std::int64_t> planned_steps;
    std::optional<double> seconds;  ///< of training, without evaluation and checkpoints
    std::optional<double> tokens_per_second;
    std::optional<double> share_of_peak;  ///< in [0, 1]
    std::optional<std::int64_t> peak_memory_bytes;

    std::optional<std::int64_t> dp;
    std::optional<std::int64_t> tp;
    std::optional<std::int64_t> pp;
    std::string data_hash;
    std::string code_version;
    std::string host;
    std::string created_at;   ///< ISO 8601, UTC: 2025-03-01T12:30:00Z
    std::string finished_at;  ///< likewise; empty until the run ended
    std::string folder;       ///< relative to the registry's folder: runs/ID
    std::vector<std::string> tags;
    std::string spec;  ///< the resolved specification, JSON text

    bool operator==(const RunRecord&) const = default;
};

/// Calls `visit(column_name, member)` for every column of the view `runs`, in the view's order: the single list that
/// storing, reading and printing go through.
template <class Record, class Visit>
void visit_columns(Record&& r, Visit&& visit) {
    visit("id", r.id);
    visit("sweep", r.sweep);
    visit("name", r.name);
    visit("state", r.state);
    visit("state_reason", r.state_reason);
    visit("family", r.family);
    visit("attention", r.attention);
    visit("layers", r.layers);
    visit("width", r.width);
    visit("heads", r.heads);
    visit("kv_heads", r.kv_heads);
    visit("head_dim", r.head_dim);
    visit("mlp_width", r.mlp_width);
    visit("context", r.context);
    visit("vocab", r.vocab);
    visit("total_params", r.total_params);
    visit("embedding_params", r.embedding_params);
    visit("head_params", r.head_params);
    visit("non_embedding_params", r.non_embedding_params);
    visit("tokens", r.tokens);
    visit("unique_tokens", r.unique_tokens);
    visit("flops", r.flops);
    visit("flops_6nd", r.flops_6nd);
    visit("flops_per_token", r.flops_per_token);
    visit("batch_tokens", r.batch_tokens);
    visit("seed", r.seed);
    visit("lr", r.lr);
    visit("parameterization", r.parameterization);
    visit("final_train_loss", r.final_train_loss);
    visit("final_val_loss", r.final_val_loss);
    visit("best_val_loss", r.best_val_loss);
    visit("bits_per_byte", r.bits_per_byte);
    visit("accuracy", r.accuracy);
    visit("recall_loss", r.recall_loss);
    visit("steps", r.steps);
    visit("planned_steps", r.planned_steps);
    visit("seconds", r.seconds);
    visit("tokens_per_second", r.tokens_per_second);
    visit("share_of_peak", r.share_of_peak);
    visit("peak_memory_bytes", r.peak_memory_bytes);
    visit("dp", r.dp);
    visit("tp", r.tp);
    visit("pp", r.pp);
    visit("data_hash", r.data_hash);
    visit("code_version", r.code_version);
    visit("host", r.host);
    visit("created_at", r.created_at);
    visit("finished_at", r.finished_at);
    visit("folder", r.folder);
    visit("tags", r.tags);
    visit("spec", r.spec);
}

/// The view's column names, in order.
const std::vector<std::string>& run_columns();

/// A JSON object with the view's columns as keys, `tags` as an array, `spec` nested, unknown values null. Numbers come
/// back bit for bit from run_record_from_json, which throws InputError for text that is no such object.
std::string to_json(const RunRecord& record);
RunRecord run_record_from_json(std::string_view text);

/// The time now in the form of `created_at`.
std::string utc_now();

}  // namespace loglog
