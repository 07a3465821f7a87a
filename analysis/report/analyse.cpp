#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "analysis/inference/checks_runs.hpp"
#include "analysis/inference/study.hpp"
#include "analysis/report/report.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

std::string fit_id(const std::string& law, const std::string& x, std::optional<ParameterCount> count) {
    return law + (x.empty() ? "" : "-" + x) + (count ? std::string{"-"} + to_text(*count) : "");
}

/// Whether N is the same with and without the head in every run.
bool heads_are_tied(const std::vector<RunRecord>& runs) {
    return std::all_of(runs.begin(), runs.end(), [](const RunRecord& run) {
        return parameters_of(run, ParameterCount::with_head) == parameters_of(run, ParameterCount::non_embedding);
    });
}

class Fitter {
  public:
    Fitter(const std::vector<RunRecord>& runs, const ReportOptions& options) : runs_{runs}, options_{options} {}

    ReportFit fit(const std::string& law, const std::string& x, std::optional<ParameterCount> count) const {
        ReportFit fit;
        fit.law = law;
        fit.variable = x.empty() ? "N, D" : x;
        fit.count = count;
        fit.id = fit_id(law, x, count);
        Question question;
        question.law = law;
        question.x = x;
        question.inference.objective = options_.objective;
        question.inference.bootstrap = options_.bootstrap;
        try {
            const auto runs = dataset_of_runs(runs_, count.value_or(ParameterCount::non_embedding), "the chosen runs");
            fit.inference = answer(runs.data, std::move(question));
        } catch (const InputError& error) { fit.failure = error.what(); }
        return fit;
    }

  private:
    const std::vector<RunRecord>& runs_;
    const ReportOptions& options_;
};

/// The kind whose runs are fitted where there are several: the baseline if it has finished runs, else the one with
/// most.
std::string attention_to_fit(const std::vector<RunRecord>& runs, const std::string& baseline) {
    std::map<std::string, int> finished;
    std::set<std::string> kinds;
    for (const auto& run : runs) {
        kinds.insert(run.attention);
        if (run.state == RunState::ok && role_of(run) == RunRole::compared) { ++finished[run.attention]; }
    }
    if (kinds.size() < 2 || finished.empty()) { return {}; }
    if (finished.contains(baseline)) { return baseline; }
    return std::max_element(finished.begin(), finished.end(),
                            [](const auto& left, const auto& right) { return left.second < right.second; })
        ->first;
}

/// The runs that the page's laws are of, and the searches for their learning rates.
struct FittedRuns {
    std::vector<RunRecord> records;
    std::vector<RunRecord> searches;
};

/// What enters no fit is noted with the reason.
FittedRuns runs_to_fit(const std::vector<RunRecord>& runs, Report& report) {
    std::vector<const RunRecord*> records;
    for (const auto& run : runs) { records.push_back(&run); }
    const std::vector<bool> enters = enters_comparison(records);
    FittedRuns kept;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const RunRecord& run = runs[i];
        const bool is_other = !report.fitted_attention.empty() && run.attention != report.fitted_attention;
        if (!enters[i]) {
            report.excluded.push_back({run.id, "a learning-rate search"});
            if (!is_other) { kept.searches.push_back(run); }
        } else if (is_other && run.state == RunState::ok) {
            report.excluded.push_back({run.id, "its attention is " + run.attention + ": see the comparison"});
        } else {
            kept.records.push_back(run);
        }
    }
    if (!report.fitted_attention.empty()) {
        report.warnings.push_back(
            {"one_attention_fitted",
             fmt::format("the runs differ in attention; a law of mixed kinds means nothing, so the fits and their "
                         "figures are of '{}' alone",
                         report.fitted_attention)});
    }
    return kept;
}

void compare_kinds(Report& report) {
    CompareOptions options;
    options.baseline = report.fitted_attention;
    options.bootstrap = report.options.bootstrap;
    std::vector<ComparedRun> runs;
    for (const auto& run : report.input.runs) { runs.push_back({run.record, run.curve.loss_by_position}); }
    try {
        report.comparison = compare_attention(runs, options);
    } catch (const InputError& error) { report.comparison_failure = error.what(); }
}

}  // namespace

const Inference* Report::find(std::string_view id) const {
    const auto found = std::find_if(fits.begin(), fits.end(), [&](const auto& fit) { return fit.id == id; });
    return found != fits.end() && found->inference ? &*found->inference : nullptr;
}

Report analyse(ReportInput input, const ReportOptions& options) {
    if (input.runs.empty()) { throw InputError{"report: no run was chosen by " + input.selection}; }
    Report report;
    std::vector<RunRecord> all;
    for (const auto& run : input.runs) { all.push_back(run.record); }
    report.input = std::move(input);
    report.options = options;
    report.fitted_attention = attention_to_fit(all, options.baseline);
    const FittedRuns chosen = runs_to_fit(all, report);
    const std::vector<RunRecord>& records = chosen.records;
    if (const std::size_t missing = report.input.folders_missing; missing > 0) {
        report.warnings.push_back(
            {"folders_missing", fmt::format("the folders of {} of {} runs are gone from the registry: the page lacks "
                                            "their curves",
                                            missing, all.size())});
    }
    for (auto& warning : mixture_warnings(records)) { report.warnings.push_back(std::move(warning)); }
    for (auto& warning : hygiene_warnings(records, chosen.searches)) { report.warnings.push_back(std::move(warning)); }
    if (!report.fitted_attention.empty()) { compare_kinds(report); }

    const Fitter fitter{records, options};
    const ParameterCount counts[] = {ParameterCount::non_embedding, ParameterCount::with_head, ParameterCount::total};
    // Without an untied head two conventions are one: its fit is copied, not repeated.
    const auto add = [&](const char* law, const char* x, ParameterCount count) {
        if (count == ParameterCount::with_head && heads_are_tied(records)) {
            ReportFit copy = report.fits.back();
            copy.count = count;
            copy.id = fit_id(law, x, count);
            report.fits.push_back(std::move(copy));
        } else {
            report.fits.push_back(fitter.fit(law, x, count));
        }
    };
    for (const char* law : {"power", "saturating"}) {
        for (const auto count : counts) { add(law, "N", count); }
        for (const char* x : {"D", "C"}) { report.fits.push_back(fitter.fit(law, x, std::nullopt)); }
    }
    for (const auto count : counts) { add("chinchilla", "", count); }
    try {
        const auto runs = dataset_of_runs(records, ParameterCount::non_embedding, "the chosen runs");
        report.excluded.insert(report.excluded.end(), runs.excluded.begin(), runs.excluded.end());
    } catch (const InputError&) {
        for (const auto& record : records) { report.excluded.push_back({record.id, to_text(record.state)}); }
    }
    report.sources = number_sources(report);
    return report;
}

}  // namespace loglog
