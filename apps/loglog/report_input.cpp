#include "apps/loglog/report_input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>

#include "analysis/fit/parallel.hpp"
#include "analysis/report/formats.hpp"
#include "apps/loglog/report_timeline.hpp"
#include "apps/loglog/run_choice.hpp"
#include "apps/loglog/verbs.hpp"
#include "apps/loglog/version.hpp"
#include "db/registry/registry.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/curves.hpp"
#include "experiments/run/run_folder.hpp"

namespace loglog {
namespace {

namespace fs = std::filesystem;

std::string shell_text(const std::string& text) {
    std::string quoted = "'";
    for (const char c : text) { quoted += c == '\'' ? std::string{"'\\''"} : std::string{c}; }
    return quoted + "'";
}

std::string read_text(const fs::path& file) {
    std::ifstream in{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

RunCurve curve_of(const fs::path& folder) {
    RunCurve curve;
    const Curves curves = read_curves(folder);
    for (const auto& line : curves.train) {
        if (line.tokens == 0) { continue; }  // not known: an imported run's
        curve.tokens.push_back(static_cast<double>(line.tokens));
        curve.train_loss.push_back(line.loss);
        curve.steps.push_back(static_cast<double>(line.step));
        if (std::isfinite(line.seconds)) { curve.seconds.push_back(line.seconds); }
    }
    if (curve.seconds.size() != curve.tokens.size()) { curve.seconds.clear(); }
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
    const std::string fit_options =
        fmt::format(" --objective {} --delta {} --bootstrap {} --seed {}", arguments.objective, arguments.delta,
                    arguments.bootstrap, arguments.seed);
    std::vector<std::string> list;
    for (const std::string law : {"power", "saturating"}) {
        for (const char* x : {"N", "D", "C"}) {
            list.push_back("loglog fit" + fitted + " --law " + law + " --x " + x + fit_options);
        }
    }
    list.push_back("loglog fit" + fitted + " --law chinchilla" + fit_options);
    if (several) {
        list.push_back("loglog compare --by attention" + chosen + " --baseline " + shell_text(arguments.baseline) +
                       " --bootstrap " + std::to_string(arguments.bootstrap) + " --seed " +
                       std::to_string(arguments.seed));
    }
    list.push_back("loglog report" + chosen + " --out " + shell_text(arguments.out) +
                   (several ? " --baseline " + shell_text(arguments.baseline) : "") + fit_options);
    const bool is_page = report_format(arguments.format, arguments.out) == ReportFormat::html;
    if (is_page) { list.push_back("loglog report --check " + shell_text(arguments.out) + in_registry); }
    return list;
}

}  // namespace

ReportOptions report_options(const ReportArguments& arguments) {
    ReportOptions options;
    options.objective = parse_objective(arguments.objective, arguments.delta);
    options.baseline = arguments.baseline;
    options.bootstrap = {arguments.bootstrap, Seed{arguments.seed}, default_threads()};
    return options;
}

ReportInput gather_report(const ReportArguments& arguments) {
    const std::string folder = registry_folder(arguments.registry);
    const std::string selection = chosen_runs("report", arguments.sweep, arguments.where);
    auto runs = Registry::open(folder, Access::read).select(selection);
    if (runs.empty()) {
        throw InputError{"report: no run in " + folder + " satisfies " + selection + " (see: loglog runs list)"};
    }
    ReportInput input = gather_runs(folder, std::move(runs));
    input.selection = selection;
    input.title = !arguments.title.empty()  ? arguments.title
                  : arguments.sweep.empty() ? "Scaling-law report"
                                            : "Scaling-law report: " + arguments.sweep;
    input.created_at = utc_now();
    input.commands = commands(arguments, folder, input);
    return input;
}

ReportInput gather_runs(const fs::path& registry, std::vector<RunRecord> runs) {
    ReportInput input;
    for (RunRecord& record : runs) {
        const auto run = run_folder(registry, record.id);
        std::error_code ignored;
        if (!fs::is_directory(run, ignored)) { ++input.folders_missing; }
        if (input.environment.empty()) { input.environment = read_text(run / "environment.json"); }
        const auto state = record.accuracy ? state_floats(record) : std::nullopt;
        input.runs.push_back({std::move(record), curve_of(run), state});
    }
    input.timeline = rank_times(registry, input.runs);
    input.program_version = version;
    input.program_binary = program_binary();
    input.cpu = cpu_model();
    return input;
}

std::string program_binary() { return short_hash(read_text("/proc/self/exe")); }

std::string cpu_model() {
    std::ifstream in{"/proc/cpuinfo"};
    for (std::string line; std::getline(in, line);) {
        const std::size_t colon = line.find(": ");
        if (line.starts_with("model name") && colon != std::string::npos) { return line.substr(colon + 2); }
    }
    return {};
}

}  // namespace loglog
