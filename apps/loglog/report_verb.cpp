#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "analysis/fit/parallel.hpp"
#include "analysis/report/check.hpp"
#include "analysis/report/formats.hpp"
#include "apps/loglog/report_drawings.hpp"
#include "apps/loglog/report_input.hpp"
#include "apps/loglog/verbs.hpp"
#include "db/registry/registry.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

Json path_list(const std::vector<std::filesystem::path>& files) {
    Json list = Json::array();
    for (const auto& file : files) { list.push_back(file.string()); }
    return list;
}

/// What was written, as JSON and in words.
struct Written {
    Json files;
    std::string words;
};

Written write_page(const Report& report, const std::filesystem::path& out) {
    const ReportFiles files = write_report(report, out);
    return {{{"page", files.page.string()},
             {"numbers", files.numbers.string()},
             {"runs", files.runs.string()},
             {"curves", files.curves.string()},
             {"charts", path_list(files.charts)}},
            files.page.string() + " (numbers: " + files.numbers.string() + ", runs: " + files.runs.string() +
                ", charts: " + std::to_string(files.charts.size()) + " specs)"};
}

Written write_as(const Report& report, ReportFormat format, const std::filesystem::path& out) {
    if (format == ReportFormat::html) { return write_page(report, out); }
    const bool is_drawn = format == ReportFormat::png || format == ReportFormat::svg || format == ReportFormat::pdf;
    const auto files = is_drawn ? draw_report(report, format, out) : write_tables(report, format, out);
    std::string words;
    for (const auto& file : files) { words += (words.empty() ? "" : ", ") + file.string(); }
    return {{{"files", path_list(files)}}, words};
}

void make_report(ReportArguments arguments) {
    const ReportFormat format = report_format(arguments.format, arguments.out);
    if (arguments.out.empty()) { arguments.out = std::string{"report."} + to_text(format); }
    require_report_file(arguments.out, format);
    const ReportOptions options = report_options(arguments);
    ReportInput input = gather_report(arguments);
    std::fprintf(stderr, "report: fitting %zu runs, %d resamples\n", input.runs.size(), options.bootstrap.resamples);
    const Report report = analyse(std::move(input), options);
    Written written = write_as(report, format, arguments.out);
    if (arguments.json) {
        written.files["report"] = Json::parse(to_json(report));
        std::printf("%s\n", written.files.dump(2).c_str());
        return;
    }
    for (const auto& sentence : findings(report)) { std::printf("%s\n", sentence.c_str()); }
    std::printf("\nwritten: %s\n", written.words.c_str());
}

/// Returns whether every number was found again.
bool check(const ReportArguments& arguments) {
    const PageToCheck page = open_page(arguments.check);
    const std::string folder = registry_folder(arguments.registry);
    std::vector<RunRecord> runs;
    const auto registry = Registry::open(folder, Access::read);
    for (const auto& remembered : page.recipe.runs) {
        if (auto record = registry.find(remembered.id)) { runs.push_back(std::move(*record)); }
    }
    std::fprintf(stderr, "report: recomputing %zu runs of %s, %d resamples\n", runs.size(), folder.c_str(),
                 page.recipe.options.bootstrap.resamples);
    const CheckResult result = check_page(page, gather_runs(folder, std::move(runs)), default_threads());
    std::fputs((arguments.json ? to_json(result) : to_text(result)).c_str(), stdout);
    return result.passed();
}

}  // namespace

void add_report_verb(CLI::App& app, Program& program) {
    auto arguments = std::make_shared<ReportArguments>();
    CLI::App* verb =
        app.add_subcommand("report", "Write a self-contained page of curves, fits and runs, and its numbers");
    CLI::Option* check_option = verb->add_option(
        "--check", arguments->check, "a page: recompute all its numbers from the registry; exit 1 where one differs");
    for (CLI::Option* option :
         {verb->add_option("--sweep", arguments->sweep, "name of the sweep to report"),
          verb->add_option("--where", arguments->where, "SQL expression over the view runs that chooses them"),
          verb->add_option("--out", arguments->out,
                           "the file (else report.FORMAT); beside a page go its numbers, runs, curves and chart specs"),
          verb->add_option("--format", arguments->format,
                           "html, md, json, csv, png, svg or pdf; else by the extension of --out; the last three need "
                           "Chromium"),
          verb->add_option("--title", arguments->title, "heading of the page")}) {
        option->excludes(check_option);
    }
    verb->add_option("--baseline", arguments->baseline,
                     "with several kinds of attention: the one that is fitted and that the others are compared with")
        ->excludes(check_option);
    verb->add_option("--objective", arguments->objective, "as of fit")->excludes(check_option);
    verb->add_option("--delta", arguments->delta, "Huber's threshold")->excludes(check_option);
    verb->add_option("--bootstrap", arguments->bootstrap, "resamples for the intervals; 0: none")
        ->check(CLI::Range(0, 10'000'000))
        ->excludes(check_option);
    verb->add_option("--seed", arguments->seed, "of the resampling")->excludes(check_option);
    verb->add_flag("--json", arguments->json,
                   "print the files written and all numbers, or what --check found, as JSON");
    verb->add_option("--registry", arguments->registry, "registry folder");
    verb->callback([arguments, &program] {
        if (arguments->check.empty()) {
            make_report(*arguments);
        } else if (!check(*arguments)) {
            program.exit_status = 1;
        }
    });
}

}  // namespace loglog
