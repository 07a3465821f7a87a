#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "analysis/fit/parallel.hpp"
#include "analysis/report/report.hpp"
#include "apps/loglog/run_choice.hpp"
#include "apps/loglog/verbs.hpp"
#include "apps/loglog/version.hpp"
#include "db/registry/registry.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/curves.hpp"
#include "experiments/run/run_folder.hpp"

namespace loglog {
namespace {

struct ReportArguments {
    std::string sweep;
    std::string where;
    std::string out = "report.html";
    std::string title;
    std::string baseline = "dense";
    std::string objective = "huber-log";
    double delta = 1e-3;
    int bootstrap = 1000;
    std::uint64_t seed = 1;
    bool json = false;
    std::string registry;
};

std::string shell_text(const std::string& text) {
    std::string quoted = "'";
    for (const char c : text) { quoted += c == '\'' ? std::string{"'\\''"} : std::string{c}; }
    return quoted + "'";
}

std::string read_text(const std::filesystem::path& file) {
    std::ifstream in{file};
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

RunCurve curve_of(const std::filesystem::path& folder) {
    RunCurve curve;
    const Curves curves = read_curves(folder);
    for (const auto& line : curves.train) {
        curve.tokens.push_back(static_cast<double>(line.tokens));
        curve.train_loss.push_back(line.loss);
    }
    for (const auto& line : curves.eval) {
        curve.val_tokens.push_back(static_cast<double>(line.tokens));
        curve.val_loss.push_back(line.val_loss);
    }
    if (!curves.eval.empty()) { curve.loss_by_position = curves.eval.back().loss_by_position; }
    return curve;
}

bool has_several_kinds(const ReportInput& input) {
    return std::any_of(input.runs.begin(), input.runs.end(), [&](const ReportRun& run) {
        return run.record.attention != input.runs.front().record.attention;
    });
}

std::vector<std::string> commands(const ReportArguments& arguments, const std::string& folder,
                                  const ReportInput& input) {
    const std::string in_registry = " --registry " + shell_text(folder);
    const std::string chosen = " --where " + shell_text(input.selection) + in_registry;
    const bool several = has_several_kinds(input);
    // Of several kinds the page's fits see the baseline alone, without the searches for its learning rate.
    const std::string baseline = "(" + input.selection + ") and attention = " + sql_text(arguments.baseline);
    const std::string no_search = "coalesce(name, '') not like 'lr-%'";
    const std::string of_baseline = baseline + " and (" + no_search +
                                    " or name like 'lr-search%' and lr in (select lr from runs where " + baseline +
                                    " and " + no_search + "))";
    const std::string fitted = several ? " --where " + shell_text(of_baseline) + in_registry : chosen;
    const std::string fit_options = " --objective " + arguments.objective + " --delta " +
                                    CLI::detail::to_string(arguments.delta) + " --bootstrap " +
                                    std::to_string(arguments.bootstrap) + " --seed " + std::to_string(arguments.seed);
    std::vector<std::string> list;
    for (const char* x : {"N", "D", "C"}) {
        list.push_back("loglog fit" + fitted + " --law power --x " + x + fit_options);
    }
    list.push_back("loglog fit" + fitted + " --law chinchilla" + fit_options);
    if (several) {
        list.push_back("loglog compare --by attention" + chosen + " --baseline " + shell_text(arguments.baseline) +
                       " --bootstrap " + std::to_string(arguments.bootstrap) + " --seed " +
                       std::to_string(arguments.seed));
    }
    list.push_back("loglog report" + chosen + " --out " + shell_text(arguments.out) +
                   (several ? " --baseline " + shell_text(arguments.baseline) : "") + fit_options);
    return list;
}

ReportInput gather(const ReportArguments& arguments) {
    const std::string folder = registry_folder(arguments.registry);
    ReportInput input;
    input.selection = chosen_runs("report", arguments.sweep, arguments.where);
    input.title = !arguments.title.empty()  ? arguments.title
                  : arguments.sweep.empty() ? "Scaling-law report"
                                            : "Scaling-law report: " + arguments.sweep;
    input.program_version = version;
    input.created_at = utc_now();
    const auto registry = Registry::open(folder, Access::read);
    for (RunRecord& record : registry.select(input.selection)) {
        const auto run = run_folder(folder, record.id);
        if (input.environment.empty()) { input.environment = read_text(run / "environment.json"); }
        input.runs.push_back({std::move(record), curve_of(run)});
    }
    if (input.runs.empty()) {
        throw InputError{"report: no run in " + folder + " satisfies " + input.selection + " (see: loglog runs list)"};
    }
    input.commands = commands(arguments, folder, input);
    return input;
}

std::string to_json(const ReportFiles& files, const Report& report) {
    nlohmann::ordered_json root = {{"page", files.page.string()},
                                   {"numbers", files.numbers.string()},
                                   {"runs", files.runs.string()},
                                   {"curves", files.curves.string()},
                                   {"charts", nlohmann::ordered_json::array()}};
    for (const auto& chart : files.charts) { root["charts"].push_back(chart.string()); }
    root["report"] = nlohmann::ordered_json::parse(to_json(report));
    return root.dump(2);
}

void make_report(const ReportArguments& arguments) {
    ReportOptions options;
    options.objective = parse_objective(arguments.objective, arguments.delta);
    options.baseline = arguments.baseline;
    options.bootstrap = {arguments.bootstrap, Seed{arguments.seed}, default_threads()};
    const Report report = analyse(gather(arguments), options);
    const ReportFiles files = write_report(report, arguments.out);
    if (arguments.json) {
        std::printf("%s\n", to_json(files, report).c_str());
        return;
    }
    for (const auto& sentence : findings(report)) { std::printf("%s\n", sentence.c_str()); }
    std::printf("\nwritten: %s (numbers: %s, runs: %s, charts: %zu specs)\n", files.page.c_str(), files.numbers.c_str(),
                files.runs.c_str(), files.charts.size());
}

}  // namespace

void add_report_verb(CLI::App& app, Program&) {
    auto arguments = std::make_shared<ReportArguments>();
    CLI::App* verb =
        app.add_subcommand("report", "Write a self-contained page of curves, fits and runs, and its numbers");
    verb->add_option("--sweep", arguments->sweep, "name of the sweep to report");
    verb->add_option("--where", arguments->where, "SQL expression over the view runs that chooses them");
    verb->add_option("--out", arguments->out, "the page; JSON, CSV and chart specs are written beside it");
    verb->add_option("--title", arguments->title, "heading of the page");
    verb->add_option("--baseline", arguments->baseline,
                     "with several kinds of attention: the one that is fitted and that the others are compared with");
    verb->add_option("--objective", arguments->objective, "as of fit");
    verb->add_option("--delta", arguments->delta, "Huber's threshold");
    verb->add_option("--bootstrap", arguments->bootstrap, "resamples for the intervals; 0: none")
        ->check(CLI::Range(0, 10'000'000));
    verb->add_option("--seed", arguments->seed, "of the resampling");
    verb->add_flag("--json", arguments->json, "print the files written and all numbers as JSON");
    verb->add_option("--registry", arguments->registry, "registry folder");
    verb->callback([arguments] { make_report(*arguments); });
}

}  // namespace loglog
