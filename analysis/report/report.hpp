#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "analysis/attention/comparison.hpp"
#include "analysis/inference/run_dataset.hpp"
#include "analysis/report/identity.hpp"

namespace loglog {

/// What a run measured while it trained; each group of vectors has one length.
struct RunCurve {
    std::vector<double> tokens;              ///< trained so far, one a step
    std::vector<double> train_loss;          ///< nats per token
    std::vector<double> val_tokens;          ///< trained so far, one an evaluation
    std::vector<double> val_loss;            ///< nats per token
    std::vector<double> loss_by_position{};  ///< nats per token by part of the window, of the last evaluation
    std::vector<double> steps{};             ///< optimizer steps so far, one a step like `tokens`; may be empty
    std::vector<double> seconds{};           ///< of training so far, likewise; may be empty
};

struct ReportRun {
    RunRecord record;
    RunCurve curve;
    std::optional<double> state_floats{};  ///< numbers that a full window leaves for the next token, of all layers
};

/// When one run had which ranks of a job.
struct RankTime {
    std::string run;
    std::string job;         ///< what started the ranks: its start as ISO 8601, UTC
    std::vector<int> ranks;  ///< in the job's numbering
    int job_ranks = 1;
    double start = 0;  ///< seconds since the job began to hand out runs
    double end = 0;
    std::string state;  ///< the run's at its end
};

/// What a page is made from.
struct ReportInput {
    std::string title;
    std::string selection;              ///< the SQL expression that chose the runs
    std::vector<ReportRun> runs;        ///< in the order of the table
    std::string environment;            ///< JSON object of the machine most runs were trained on; empty: not known
    std::vector<std::string> commands;  ///< that recompute the page, in order
    std::string program_version;
    std::string program_binary{};      ///< hash of the program's file; empty: not known
    std::string cpu{};                 ///< model of the processor that the page was made on; empty: not known
    std::string created_at;            ///< ISO 8601, UTC
    std::size_t folders_missing = 0;   ///< runs of the registry whose folders, and so their curves, are gone
    std::vector<RankTime> timeline{};  ///< of the sweeps' jobs; empty where none was recorded
};

struct ReportOptions {
    Objective objective;
    BootstrapOptions bootstrap;
    std::string baseline = "dense";  ///< where there are several kinds of attention: what the others are compared with
};

/// One fit of the page, or why there is none.
struct ReportFit {
    std::string id;  ///< unique: "power-N-non_embedding", "saturating-C", "chinchilla-total"
    std::string law;
    std::string variable;                 ///< "N", "D", "C", or "N, D"
    std::optional<ParameterCount> count;  ///< where N enters
    std::optional<Inference> inference;
    std::string failure;  ///< why there is no inference
};

/// All numbers of a page.
struct Report {
    ReportInput input;
    ReportOptions options;
    std::vector<ReportFit> fits;
    std::vector<Exclusion> excluded;         ///< runs that enter no fit
    std::vector<Warning> warnings;           ///< of the set of runs, not of one fit
    std::string fitted_attention{};          ///< where there are several kinds: the one whose runs the fits are of
    std::optional<Comparison> comparison{};  ///< of the kinds of attention, where there are several
    std::string comparison_failure{};        ///< why there is none although there are several
    std::vector<NumberSource> sources{};     ///< what each group of numbers came from

    /// The fit of this id if it succeeded.
    const Inference* find(std::string_view id) const;
};

/// Where the runs have several kinds of attention, compares them; the fits are then of the baseline's runs alone, since
/// a law of mixed kinds means nothing. Learning-rate searches enter no fit.
///
/// Fits `power` and `saturating` to N (three conventions), D and C, and `chinchilla` under the three conventions. A law
/// that the runs cannot identify becomes a failure with its reason; throws InputError only if there are no runs at all.
Report analyse(ReportInput input, const ReportOptions& options);

/// What was found and what was not, a sentence an entry, without markup.
struct Findings {
    std::vector<std::string> found;
    std::vector<std::string> not_found;
};
Findings sorted_findings(const Report& report);
/// The same in one list, what was found first.
std::vector<std::string> findings(const Report& report);

/// Where write_report() put things.
struct ReportFiles {
    std::filesystem::path page;                 ///< the self-contained HTML file
    std::filesystem::path numbers;              ///< STEM.json
    std::filesystem::path runs;                 ///< STEM-runs.csv
    std::filesystem::path curves;               ///< STEM-curves.csv, thinned as on the page
    std::vector<std::filesystem::path> charts;  ///< charts/NAME.vl.json
};

/// Writes the page and the files beside it, each beside its final name and renamed. Throws Error where it cannot.
ReportFiles write_report(const Report& report, const std::filesystem::path& page);

/// The numbers as JSON (docs/formats.md).
std::string to_json(const Report& report);

}  // namespace loglog
