#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "experiments/run/estimate.hpp"
#include "experiments/run/performance_model.hpp"
#include "experiments/spec/run_spec.hpp"
#include "sweeps/plan/learning_rate_search.hpp"
#include "sweeps/space/expand.hpp"
#include "sweeps/space/sweep_spec.hpp"

namespace loglog {

/// One run of a sweep, before it is trained.
struct PlannedRun {
    std::string id;  ///< empty where the data set is not there to take its hash from
    RunSpec spec;    ///< resolved
    RunCost cost;
    double target = 0;             ///< FLOPs of its budget (isoflop) or tokens per parameter (ladder, attention); or 0
    double predicted_seconds = 0;  ///< of training and evaluation in its layout; 0: not predicted
    std::optional<LayoutPrediction> prediction{};  ///< of a step in its layout, where one was made
    std::string stage{};     ///< of a sweep of kind attention, else empty; see plan_attention_sweep()
    bool lr_known = true;    ///< false: the learning rate follows from runs that have not ended; the spec's is no guess
    bool also_main = false;  ///< a run of the search at the best rate, which is a run of stage main as well
};

/// The search for an attention's learning rate.
struct AttentionSearch {
    std::string attention;
    RateSearch search;
};

/// A sweep's runs and what they cost in all.
struct Plan {
    std::string sweep;
    SweepKind kind = SweepKind::grid;
    std::vector<PlannedRun> runs;
    std::vector<AttentionSearch> searches;  ///< of a sweep of kind attention
    std::vector<std::string> notes;         ///< about the space: what was merged or left out
    std::vector<std::string> warnings;      ///< reasons against this plan that were overruled
    int ranks = 1;                          ///< that the prediction of the whole is for
    std::string cluster;                    ///< that the prediction is for; empty: this machine
};

/// Runs that wait for a learning rate.
int waiting_runs(const Plan& plan);

/// A run's id, or "" where the hash of its data set is not known.
using IdentifyRun = std::function<std::string(const RunSpec& resolved)>;

/// The final validation loss of a run that has ended, infinity for one that diverged; nothing for any other.
using FindLoss = std::function<std::optional<double>(const std::string& id)>;

/// Expands the sweep and counts what each run costs. What `loss_of` knows decides the learning rates of a sweep of kind
/// attention. Throws InputError for what expand(), plan_attention_sweep() and estimate() refuse.
Plan make_plan(const SweepSpec& sweep, const DataVocab& data_vocab, const IdentifyRun& identify,
               const FindLoss& loss_of = {});

/// What a plan asks of the machine it is made on: model FLOP/s that a run of this cost reaches on one rank; 0: unknown.
using Throughput = std::function<double(const RunSpec& resolved, const RunCost& cost)>;

/// Without measuring: the share of `peak_flops` that training usually reaches, which grows with the width. Good enough
/// to tell which run is longer.
Throughput typical_throughput(double peak_flops);

/// Seconds a run takes at `flops_per_second`, evaluations (forward only: a third) included; 0 if that is 0.
double predict_seconds(const RunSpec& resolved, const RunCost& cost, double flops_per_second);

/// Seconds until `ranks` ranks are done with all runs, packed as the scheduler does.
double packed_seconds(const Plan& plan, int ranks);

/// Fills predicted_seconds of every run. A run of several ranks is predicted from `throughput` of its ranks, and links
/// such as the ranks of one host have.
void predict(Plan& plan, const Throughput& throughput, int ranks);

/// The same for a cluster: each run's prediction in its layout.
void predict(Plan& plan, const Machine& cluster);

/// Gives every run of a sweep that states no layout, but sweep.rank_memory, the smallest layout that fits; `machine`
/// decides which of these is the fastest. Throws InputError for a run that fits into none of up to `most_ranks` ranks.
void choose_layouts(Plan& plan, const SweepSpec& sweep, const Machine& machine, int most_ranks);

/// A machine such as this one is likely to be, for choices that need no measurement.
Machine typical_host(int ranks, double flops);

/// Positions in plan.runs in the order in which they should start: runs of more ranks first, and the longest predicted
/// first among those of as many; by FLOPs where nothing is predicted.
std::vector<std::size_t> starting_order(const Plan& plan);

/// Why the sweep cannot tell how loss falls with what varies; empty if it can. For each kind of attention by itself:
/// fewer than 3 model sizes, or sizes (non-embedding parameters) within a factor of 4; token counts that vary by less
/// than a factor of 4; for isoflop, a budget with fewer than 3 sizes.
std::vector<std::string> reasons_against(const Plan& plan);

/// Remarks worth printing beside the plan: what cannot be fitted although the sweep is fine otherwise.
std::vector<std::string> remarks_on(const Plan& plan);

/// The table people read, with totals.
std::string to_table(const Plan& plan);

/// {"sweep","kind","ranks","runs":[{"id","layers",...,"parameters":{"total","non_embedding","embedding","head"},
/// "tokens","flops_per_token","flops","flops_6nd","memory_bytes","predicted_seconds"}],"totals":{...},"notes",
/// "warnings"}: docs/formats.md has every key.
std::string to_json(const Plan& plan);

}  // namespace loglog
