#include "apps/loglog/sweep_advise.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "analysis/design/advice.hpp"
#include "analysis/fit/parallel.hpp"
#include "analysis/inference/run_dataset.hpp"
#include "analysis/inference/study.hpp"
#include "apps/loglog/data_shelf.hpp"
#include "apps/loglog/option_checks.hpp"
#include "apps/loglog/run_choice.hpp"
#include "apps/loglog/verbs.hpp"
#include "db/registry/external_run.hpp"
#include "db/registry/registry.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/estimate.hpp"
#include "sweeps/plan/neighbours.hpp"

namespace loglog {
namespace {

/// A proposed run, what it is and what it costs.
struct Proposal {
    RunSpec spec;
    CandidateRun candidate;  ///< x: N as the fit counts it, D
};

/// The runs that were chosen, and the law they give.
struct Known {
    std::vector<TrainedRun> trained;
    Inference inference;
    std::int64_t next_seed = 1;
    std::vector<std::string> notes;
};

Inference fit_runs(const std::vector<RunRecord>& records, const AdviseOptions& options, const std::string& source) {
    Question question;
    question.law = options.law;
    question.inference.objective = parse_objective(options.objective, options.delta);
    question.inference.bootstrap.resamples = 0;  // the advice needs the covariance alone
    question.inference.bootstrap.threads = default_threads();
    question.inference.warnings = mixture_warnings(records);
    RunDataset runs = dataset_of_runs(records, parse_parameter_count(options.count), source);
    question.inference.excluded = std::move(runs.excluded);
    return answer(runs.data, std::move(question));
}

Known learn(const AdviseOptions& options, const std::string& selection) {
    const std::string folder = registry_folder(options.registry);
    const auto registry = Registry::open(folder, Access::read);
    const std::vector<RunRecord> records = registry.select(selection);
    Known known{{}, fit_runs(records, options, "registry " + folder), 1, {}};
    std::size_t external = 0;
    for (const RunRecord& record : records) {
        known.next_seed = std::max(known.next_seed, record.seed.value_or(0) + 1);
        if (record.state != RunState::ok || !record.final_val_loss) { continue; }
        if (is_external(record)) {
            ++external;
        } else {
            known.trained.push_back({run_spec_from_json(record.spec), *record.final_val_loss});
        }
    }
    if (known.trained.empty()) {
        throw InputError{
            "sweep advise: the chosen runs were imported, so that it is not known how to train more like "
            "them; choose runs that loglog trained"};
    }
    if (external > 0) {
        known.notes.push_back(fmt::format("{} imported runs are fitted, but cannot be trained again", external));
    }
    return known;
}

std::int64_t counted(const ParameterCounts& parameters, ParameterCount count) {
    switch (count) {
        case ParameterCount::non_embedding:
            return parameters.non_embedding();
        case ParameterCount::with_head:
            return parameters.total - parameters.embedding;
        case ParameterCount::total:
            return parameters.total;
    }
    return parameters.non_embedding();
}

/// Bounds of what was trained.
struct Range {
    double low = std::numeric_limits<double>::infinity();
    double high = 0;

    void include(double value) {
        low = std::min(low, value);
        high = std::max(high, value);
    }
    /// From the least trained to `reach` times the most.
    bool holds(double value, double reach) const {
        return value >= low * (1 - 1e-9) && value <= high * reach * (1 + 1e-9);
    }
};

/// Tokens of the data set that a run can see once; infinite where the data is made on the fly or is not here.
double unique_tokens(const RunSpec& spec, DataShelf& shelf) {
    if (spec.data.is_synthetic() || spec.data.is_probe()) { return std::numeric_limits<double>::infinity(); }
    const TokenDataset* data = shelf.find(spec.data);
    return data != nullptr ? static_cast<double>(data->tokens(Split::train)) : std::numeric_limits<double>::infinity();
}

std::vector<Proposal> propose(Known& known, const AdviseOptions& options) {
    const ParameterCount count = parse_parameter_count(options.count);
    Range sizes;
    Range tokens;
    Range ratios;
    const Points& points = known.inference.points;
    for (std::size_t i = 0; i < points.size(); ++i) {
        sizes.include(points.x(i, 0));
        tokens.include(points.x(i, 1));
        ratios.include(points.x(i, 1) / points.x(i, 0));
    }
    DataShelf shelf{OpenCheck::sizes_only};
    std::size_t repeating = 0;
    std::vector<Proposal> proposals;
    for (RunSpec& spec : neighbouring_runs(known.trained, options.reach)) {
        const RunCost cost = estimate(spec);
        const auto n = static_cast<double>(counted(cost.parameters, count));
        const auto d = static_cast<double>(spec.train.tokens);
        const bool sensible = sizes.holds(n, options.reach) && tokens.holds(d, options.reach) &&
                              ratios.holds(d / n * options.reach, options.reach * options.reach);
        if (!sensible) { continue; }
        if (d > tokens.high && d > unique_tokens(spec, shelf)) {
            ++repeating;
            continue;
        }
        const double flops = cost.flops(spec);
        proposals.push_back({std::move(spec), {{n, d}, flops}});
    }
    if (repeating > 0) {
        known.notes.push_back(
            fmt::format("{} runs were not considered: they would see the data more than once, which "
                        "the law '{}' does not describe",
                        repeating, options.law));
    }
    return proposals;
}

std::string percent(double part) { return fmt::format("{:.0f}%", 100 * part); }

/// What the advice says of its target's interval, for people.
std::string verdict(const Advice& advice, const AdviseOptions& options) {
    const double z = 1.96;
    const std::string scale = advice.is_logarithm ? " (relative)" : "";
    const std::string place = options.at > 0 ? fmt::format(" at {:.3g} FLOPs", options.at) : "";
    return fmt::format(
        "{}{} = {:.4g}: half a 95% interval (asymptotic) is now {:.3g}{}, expected {:.3g} after {} runs of {:.3g} "
        "FLOPs together ({} less)",
        options.shrink, place, advice.value, z * advice.se_before, scale, z * advice.se_after(), advice.runs.size(),
        advice.flops, percent(1 - advice.se_after() / advice.se_before));
}

std::vector<std::string> table(const Advice& advice, const std::vector<Proposal>& proposals, const std::string& of) {
    std::vector<std::string> lines{fmt::format("{:>8}{:>8}{:>12}{:>12}{:>12}   {}", "width", "layers", "N", "D",
                                               "FLOPs", "error of " + of + " then")};
    for (const AdvisedRun& run : advice.runs) {
        const Proposal& proposal = proposals[run.candidate];
        lines.push_back(fmt::format("{:>8}{:>8}{:>12.4g}{:>12.4g}{:>12.3g}   {:.3g}", proposal.spec.model.width,
                                    proposal.spec.model.layers, proposal.candidate.x[0], proposal.candidate.x[1],
                                    proposal.candidate.flops, run.se));
    }
    return lines;
}

nlohmann::ordered_json to_json(const Advice& advice, const std::vector<Proposal>& proposals, const Known& known,
                               const AdviseOptions& options, const std::string& file) {
    nlohmann::ordered_json json;
    json["law"] = options.law;
    json["n_points"] = known.inference.points.size();
    json["target"] = {{"name", options.shrink},
                      {"budget", options.at > 0 ? nlohmann::ordered_json(options.at) : nlohmann::ordered_json()},
                      {"value", advice.value},
                      {"scale", advice.is_logarithm ? "ln" : "linear"},
                      {"se_before", advice.se_before},
                      {"se_after", advice.se_after()}};
    json["budget"] = options.budget;
    json["flops"] = advice.flops;
    json["considered"] = proposals.size();
    json["runs"] = nlohmann::ordered_json::array();
    for (const AdvisedRun& run : advice.runs) {
        const Proposal& proposal = proposals[run.candidate];
        json["runs"].push_back({{"width", proposal.spec.model.width},
                                {"layers", proposal.spec.model.layers},
                                {"N", proposal.candidate.x[0]},
                                {"D", proposal.candidate.x[1]},
                                {"flops", proposal.candidate.flops},
                                {"se_after", run.se}});
    }
    json["notes"] = known.notes;
    json["warnings"] = nlohmann::ordered_json::array();
    for (const Warning& warning : known.inference.warnings) {
        json["warnings"].push_back({{"code", warning.code}, {"text", warning.text}});
    }
    json["sweep"] = file;
    return json;
}

void write(const std::string& path, const std::string& text, bool force) {
    if (std::filesystem::exists(path) && !force) {
        throw InputError{path + " is there already: choose another --out, or --force to overwrite it"};
    }
    std::ofstream out{path, std::ios::binary};
    out << text;
    out.close();
    if (!out) { throw Error{path + " cannot be written"}; }
}

/// The runs in an order that people read, not that of gain.
std::vector<RunSpec> in_order(const Advice& advice, const std::vector<Proposal>& proposals) {
    std::vector<RunSpec> runs;
    for (const AdvisedRun& run : advice.runs) { runs.push_back(proposals[run.candidate].spec); }
    std::sort(runs.begin(), runs.end(), [](const RunSpec& one, const RunSpec& other) {
        return std::pair{one.model.width, one.train.tokens} < std::pair{other.model.width, other.train.tokens};
    });
    return runs;
}

void advise_runs(AdviseOptions options) {
    const std::string selection = chosen_runs("sweep advise", options.sweep, options.where);
    const Law& law = find_law(options.law);
    if (law.variables().size() != 2 || law.variables()[0] != "N" || law.variables()[1] != "D") {
        throw InputError{"sweep advise: --law must be a law of N and D, chinchilla or kaplan; '" + options.law +
                         "' is none"};
    }
    if (options.shrink.empty()) { options.shrink = options.at > 0 ? "N" : "a"; }
    Known known = learn(options, selection);
    const std::vector<Proposal> proposals = propose(known, options);
    std::vector<CandidateRun> candidates;
    for (const Proposal& proposal : proposals) { candidates.push_back(proposal.candidate); }
    const Advice advice =
        advise(known.inference, {options.shrink, options.at}, candidates, options.budget, options.runs);

    const std::string summary = verdict(advice, options);
    std::vector<std::string> remarks{
        fmt::format("Runs that shrink the interval of {} most for {:.3g} FLOPs, by the law '{}' fitted to {} runs:",
                    options.shrink, options.budget, options.law, known.inference.points.size()),
        summary + "."};
    for (const std::string& line : table(advice, proposals, options.shrink)) { remarks.push_back(line); }
    remarks.emplace_back("Expected if the law holds at these runs and they are as noisy as those before. Afterwards:");
    remarks.push_back(
        fmt::format("  loglog fit --law {} --where \"({}) OR sweep = '{}'\"", options.law, selection, options.name));
    const std::int64_t seed = options.seed > 0 ? options.seed : known.next_seed;
    const std::string file =
        sweep_file(options.name, in_order(advice, proposals), std::span{&seed, 1}, selection, remarks);

    if (!options.out.empty()) { write(options.out, file, options.force); }
    for (const Warning& warning : known.inference.warnings) {
        fmt::print(stderr, "warning [{}]: {}\n", warning.code, warning.text);
    }
    for (const std::string& note : known.notes) { fmt::print(stderr, "note: {}\n", note); }
    if (options.json) {
        fmt::print("{}\n", to_json(advice, proposals, known, options, file).dump(2));
    } else if (options.out.empty()) {
        fmt::print("{}", file);
    } else {
        fmt::print("{}\n", summary);
        for (const std::string& line : table(advice, proposals, options.shrink)) { fmt::print("{}\n", line); }
        fmt::print("written: {} (look at it: loglog sweep plan {}; train: mpirun -n 2 loglog sweep run {})\n",
                   options.out, options.out, options.out);
    }
}

}  // namespace

void add_advise_verb(CLI::App& sweep) {
    const auto options = std::make_shared<AdviseOptions>();
    CLI::App* verb = sweep.add_subcommand(
        "advise", "Propose the runs that would shrink an interval of a fitted law most, as a sweep file");
    verb->add_option("--where", options->where, "SQL expression that chooses the runs that the law is fitted to");
    verb->add_option("--sweep", options->sweep, "the runs of this sweep");
    verb->add_option("--budget", options->budget, "model FLOPs that all proposed runs may cost together")
        ->required()
        ->check(positive_number());
    verb->add_option(
        "--shrink", options->shrink,
        "whose interval: a parameter (alpha, E, ...), a derived exponent, or with --at the optimal N or D, "
        "or the loss (default: a, of N_opt ~ C^a)");
    verb->add_option("--at", options->at, "FLOPs of the budget that --shrink N, D or loss is for")
        ->check(positive_number());
    verb->add_option("--law", options->law, "law of N and D: chinchilla (the default) or kaplan");
    verb->add_option("--count", options->count, "what counts as N: non_embedding (the default), with_head or total");
    verb->add_option("--objective", options->objective,
                     "huber-log (the default), l1-log, ls-log, huber-linear, l1-linear, ls-linear");
    verb->add_option("--delta", options->delta, "Huber's threshold");
    verb->add_option("--runs", options->runs, "at most so many runs (8)")->check(CLI::Range(1, 64));
    verb->add_option("--reach", options->reach, "sizes and tokens up to so many times the largest trained (4)")
        ->check(number_within(1, 100));
    verb->add_option("--seed", options->seed, "of the proposed runs (default: the first that no run has)")
        ->check(CLI::PositiveNumber);
    verb->add_option("--name", options->name, "of the proposed sweep (advised)");
    verb->add_option("--out", options->out, "file for the sweep (default: standard output)");
    verb->add_flag("--force", options->force, "overwrite --out");
    verb->add_flag("--json", options->json, "print the advice as JSON, the sweep's text in it");
    verb->add_option("--registry", options->registry,
                     "Folder of the runs (default: $LOGLOG_REGISTRY, else ./loglog-runs)");
    verb->callback([options] { advise_runs(*options); });
}

}  // namespace loglog
