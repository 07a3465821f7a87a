#include "sweeps/plan/plan.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include "sweeps/plan/attention_plan.hpp"
#include "sweeps/plan/cost_book.hpp"
#include "sweeps/scheduler/packing.hpp"

namespace loglog {
Plan make_plan(const SweepSpec& sweep, const DataVocab& data_vocab, const IdentifyRun& identify,
               const FindLoss& loss_of) {
    if (sweep.kind == SweepKind::attention) {
        return detail::plan_attention_sweep(sweep, data_vocab, identify, loss_of);
    }
    detail::CostBook book;
    Expansion expansion = expand(sweep, data_vocab, [&](const RunSpec& spec) {
        const RunCost& cost = book.cost(spec);
        return ModelSize{cost.flops_per_token, cost.parameters.non_embedding()};
    });
    Plan plan;
    plan.sweep = sweep.name;
    plan.kind = sweep.kind;
    plan.notes = std::move(expansion.notes);
    for (std::size_t i = 0; i < expansion.runs.size(); ++i) {
        RunSpec& spec = expansion.runs[i];
        PlannedRun run;
        run.id = identify(spec);
        run.cost = book.cost(spec);
        run.target = expansion.targets[i];
        run.spec = std::move(spec);
        plan.runs.push_back(std::move(run));
    }
    return plan;
}

int waiting_runs(const Plan& plan) {
    return static_cast<int>(
        std::count_if(plan.runs.begin(), plan.runs.end(), [](const PlannedRun& run) { return !run.lr_known; }));
}

Machine typical_host(int ranks, double flops) {
    Machine host;
    host.name = "this machine";
    host.ranks_per_node = ranks;
    host.flops = flops;
    host.share_of_peak = 1;
    host.bytes_per_second = 2e10;
    host.intra = host.inter = {.latency = 2e-6, .bandwidth = 4e9};  // through shared memory
    return host;
}

namespace {

// Evaluations cost what they do beside training.
double run_seconds(const PlannedRun& run, double step_seconds) {
    const double training = step_seconds * static_cast<double>(total_steps(run.spec));
    const double share = predict_seconds(run.spec, run.cost, 1) / run.cost.flops(run.spec);
    return training * share;
}

}  // namespace

void predict(Plan& plan, const Throughput& throughput, int ranks) {
    plan.ranks = ranks;
    for (PlannedRun& run : plan.runs) {
        const double flops = throughput(run.spec, run.cost);
        if (run.spec.layout.ranks() == 1 || flops <= 0) {
            run.predicted_seconds = predict_seconds(run.spec, run.cost, flops);
            continue;
        }
        Machine host = typical_host(static_cast<int>(run.spec.layout.ranks()), flops);
        host.bytes_per_second = 1e18;  // is in the throughput
        run.prediction = predict_layout(run.spec, host);
        run.predicted_seconds = run_seconds(run, run.prediction->step_seconds);
    }
}

void predict(Plan& plan, const Machine& cluster) {
    plan.ranks = cluster.ranks();
    plan.cluster = cluster.name.empty() ? "cluster" : cluster.name;
    for (PlannedRun& run : plan.runs) {
        run.prediction = predict_layout(run.spec, cluster);
        run.predicted_seconds = run_seconds(run, run.prediction->step_seconds);
    }
}

void choose_layouts(Plan& plan, const SweepSpec& sweep, const Machine& machine, int most_ranks) {
    if (sweep.rank_memory <= 0 || states_layout(sweep)) { return; }
    std::map<std::string, LayoutSpec> chosen;  // runs that differ in tokens, seed or learning rate have the same
    for (PlannedRun& run : plan.runs) {
        RunSpec model;
        model.model = run.spec.model;
        model.train.batch_tokens = run.spec.train.batch_tokens;
        model.train.micro_batch = run.spec.train.micro_batch;
        model.layout = run.spec.layout;
        const auto [entry, is_new] = chosen.try_emplace(to_json(model));
        if (is_new) { entry->second = smallest_layout(run.spec, machine, sweep.rank_memory, most_ranks); }
        run.spec.layout = entry->second;
    }
}

Throughput typical_throughput(double peak_flops) {
    return [peak_flops](const RunSpec& spec, const RunCost&) {
        const auto width = static_cast<double>(spec.model.width);
        return peak_flops * 0.62 * width / (width + 32);
    };
}

double predict_seconds(const RunSpec& spec, const RunCost& cost, double flops_per_second) {
    if (flops_per_second <= 0) { return 0; }
    const std::int64_t steps = total_steps(spec);
    const std::int64_t every = std::max<std::int64_t>(1, spec.train.eval_every);
    const auto evaluations = static_cast<double>(steps / every + (steps % every != 0 ? 1 : 0));
    const double evaluation_flops = cost.flops_per_token / 3 * static_cast<double>(spec.train.eval_tokens);
    return (cost.flops(spec) + evaluations * evaluation_flops) / flops_per_second;
}

std::vector<std::size_t> starting_order(const Plan& plan) {
    std::vector<std::size_t> order(plan.runs.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto length = [&](std::size_t i) {
        const PlannedRun& run = plan.runs[i];
        return run.predicted_seconds > 0 ? run.predicted_seconds : run.cost.flops(run.spec) * 1e-12;
    };
    const auto ranks = [&](std::size_t i) { return plan.runs[i].spec.layout.ranks(); };
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return ranks(a) != ranks(b) ? ranks(a) > ranks(b) : length(a) > length(b);
    });
    return order;
}

double packed_seconds(const Plan& plan, int ranks) {
    std::vector<RunLength> runs;
    for (const std::size_t i : starting_order(plan)) {
        const PlannedRun& run = plan.runs[i];
        runs.push_back({.ranks = static_cast<int>(run.spec.layout.ranks()), .seconds = run.predicted_seconds});
    }
    return packed_seconds(runs, ranks);
}

}  // namespace loglog
