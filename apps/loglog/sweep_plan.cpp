#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <vector>

#include "apps/loglog/sweep_options.hpp"
#include "apps/loglog/sweep_state.hpp"
#include "engine/base/cores.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/calibration.hpp"
#include "experiments/run/environment.hpp"
#include "sweeps/launch/launcher.hpp"

namespace loglog {
namespace {

// Of layouts that follow from sweep.rank_memory; what an allocation lacks is told when the sweep runs.
constexpr int most_ranks_considered = 64;

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) { text += "\n  " + line; }
    return text;
}

const TokenDataset* data_of(const RunSpec& spec, DataShelf& shelf, DataNeed need) {
    if (need == DataNeed::if_present && spec.model.vocab > 0) { return shelf.find(spec.data); }
    return &shelf.get(spec.data);
}

}  // namespace

Plan plan_of(const SweepOptions& options, DataShelf& shelf, DataNeed need, const Machine& machine,
             const FindLoss& loss_of) {
    const SweepSpec sweep = load_sweep_spec(options.file, options.overrides);
    Plan plan = make_plan(
        sweep,
        [&](const RunSpec& spec) {
            const TokenDataset* data = data_of(spec, shelf, need);
            return data != nullptr ? data->vocab_size() : std::int64_t{0};
        },
        [&](const RunSpec& spec) {
            const TokenDataset* data = data_of(spec, shelf, need);
            return data != nullptr ? run_id(spec, data->hash(), code_version()) : std::string{};
        },
        loss_of);
    std::vector<std::string> reasons;
    if (sweep.adds_to.empty() || plan.runs.empty()) {
        reasons = reasons_against(plan);
    } else {
        plan.notes.push_back(fmt::format("adds to the runs where {}: not judged by itself", sweep.adds_to));
    }
    if (!reasons.empty() && (!options.force || plan.runs.empty())) {
        throw InputError{fmt::format("the sweep '{}' cannot identify a scaling law:{}\n(--force goes on all the same)",
                                     plan.sweep, joined(reasons))};
    }
    choose_layouts(plan, sweep, machine, std::max(machine.ranks(), most_ranks_considered));
    plan.warnings = reasons;
    if (sweep.adds_to.empty()) {
        for (std::string& remark : remarks_on(plan)) { plan.notes.push_back(std::move(remark)); }
    }
    return plan;
}

void predict_here(Plan& plan, int threads, int ranks) {
    std::vector<CostedSpec> models;
    for (const PlannedRun& run : plan.runs) {
        models.push_back({run.spec, run.cost});
        models.back().spec.layout = {};  // what one rank reaches; the performance model does the rest
    }
    const Calibration calibration{models, threads};
    predict(
        plan, [&](const RunSpec&, const RunCost& cost) { return calibration.flops_per_second(cost); }, ranks);
}

void print_plan(const SweepOptions& options) {
    DataShelf shelf{OpenCheck::sizes_only};
    const int cores = usable_cores();
    const int ranks = options.ranks > 0 ? options.ranks : cores;
    std::optional<Machine> cluster;
    if (!options.cluster.empty()) { cluster = load_machine(options.cluster); }
    Plan plan = plan_of(options, shelf, DataNeed::if_present, cluster ? *cluster : typical_host(ranks, typical_flops),
                        recorded_losses(registry_folder(options.registry)));
    plan.ranks = ranks;
    if (cluster) {
        predict(plan, *cluster);
    } else if (options.calibrate) {
        predict_here(plan, std::max(1, cores / ranks), ranks);
    }

    for (const std::string& warning : plan.warnings) { fmt::print(stderr, "warning: {}\n", warning); }
    if (options.json) {
        fmt::print("{}\n", to_json(plan));
        return;
    }
    fmt::print("{}", to_table(plan));
    for (const std::string& note : plan.notes) { fmt::print(stderr, "note: {}\n", note); }
}

}  // namespace loglog
