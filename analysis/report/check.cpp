#include "analysis/report/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "analysis/report/page.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

/// What a page remembers of a run against what the registry has now.
void compare_run(CheckResult& result, const RememberedRun& was, const RememberedRun& is, Wording wording) {
    const bool has_same_record = was.print.record == is.print.record;
    const std::size_t before = result.runs.size();
    for (std::size_t k = 0; k < is.values.size(); ++k) {
        if (was.values[k] == is.values[k]) { continue; }
        const char* reason = has_same_record ? " (edited in the page)" : "";
        result.runs.push_back({was.id, remembered_columns()[k] + reason, was.values[k], is.values[k]});
    }
    const bool is_explained = result.runs.size() > before;
    if (!has_same_record && !is_explained) {
        if (wording == Wording::may_differ) {
            result.notes.push_back("run " + was.id + ": its record hashes otherwise, with equal values: this version " +
                                   "may know other columns, or its specification was changed");
        } else {
            result.runs.push_back(
                {was.id, "specification, or its hash in the page", was.print.record, is.print.record});
        }
    }
    if (was.print.curve != is.print.curve) {
        const auto text = [](const std::string& hash) { return hash.empty() ? "no curve" : "curve " + hash; };
        if (wording == Wording::may_differ && !was.print.curve.empty() && !is.print.curve.empty()) {
            result.notes.push_back("run " + was.id +
                                   ": its curve hashes otherwise: this version may read more of it, " +
                                   "or it was changed");
        } else {
            result.runs.push_back({was.id, "curve", text(was.print.curve), text(is.print.curve)});
        }
    }
}

/// Returns whether every run of the recipe is there.
bool compare_runs(CheckResult& result, const std::vector<ReportRun>& now, Wording wording) {
    bool all_there = true;
    auto next = now.begin();
    for (const auto& was : result.recipe.runs) {
        if (next == now.end() || next->record.id != was.id) {
            result.runs.push_back({was.id, "run", "in the registry", "missing"});
            all_there = false;
        } else {
            compare_run(result, was, remember(*next++), wording);
        }
    }
    return all_there;
}

void note_versions(CheckResult& result, const ReportInput& input) {
    const Recipe& recipe = result.recipe;
    const auto note = [&](const char* what, const std::string& was, const std::string& is) {
        if (was != is) {
            result.notes.push_back(fmt::format("{}: the page was made with {}, this is {}", what, was, is));
        }
    };
    note("version", recipe.program_version, input.program_version);
    note("version of the analysis", recipe.analysis_version, analysis_version());
    if (recipe.analysis_version == analysis_version()) {
        note("program file", recipe.program_binary, input.program_binary);
    }
    note("processor", recipe.cpu, input.cpu);
}

}  // namespace

PageToCheck open_page(const std::filesystem::path& file) {
    std::ifstream in{file, std::ios::binary};
    if (!in || std::filesystem::is_directory(file)) {
        throw InputError{"report --check: " + file.string() + " cannot be read"};
    }
    PageToCheck page{file.string(), {std::istreambuf_iterator<char>{in}, {}}, {}, {}};
    page.content = read_page(page.html);
    const auto recipe = page.content.json.find("report-recipe");
    if (recipe == page.content.json.end()) {
        throw InputError{"report --check: " + page.file +
                         " holds no recipe (a script element 'report-recipe'): it is no page of loglog report, or one "
                         "that an older version wrote"};
    }
    page.recipe = parse_recipe(recipe->second, page.file);
    return page;
}

CheckResult check_page(const PageToCheck& page, ReportInput input, int threads) {
    const Recipe& recipe = page.recipe;
    CheckResult result{};
    result.file = page.file;
    result.recipe = recipe;
    const bool is_same_code = recipe.analysis_version == analysis_version();
    const bool is_same_machine =
        !recipe.program_binary.empty() && recipe.program_binary == input.program_binary && recipe.cpu == input.cpu;
    result.closeness = is_same_code && is_same_machine ? Closeness::exact : Closeness::printed;
    const Wording wording = is_same_code ? Wording::same : Wording::may_differ;
    note_versions(result, input);
    if (!seal_holds(page.html)) { result.notes.emplace_back("the page was edited after it was written"); }
    if (!compare_runs(result, input.runs, wording)) { return result; }

    input.title = recipe.title;
    input.selection = recipe.selection;
    input.created_at = recipe.created_at;
    input.commands = recipe.commands;
    input.program_version = recipe.program_version;
    ReportOptions options = recipe.options;
    options.bootstrap.threads = threads;
    const std::string again = render_page(analyse(std::move(input), options));
    const Ids ids = is_same_code && result.runs.empty() ? Ids::same : Ids::may_differ;
    PageAgreement agreement = compare_pages(page.content, read_page(again), result.closeness, wording, ids);
    result.is_recomputed = true;
    result.differences = std::move(agreement.differences);
    result.shown = agreement.shown;
    result.data = agreement.data;
    if (agreement.uncompared > 0) {
        result.notes.push_back(
            fmt::format("{} texts and entries that this version words otherwise, has not, or has "
                        "besides, were not compared",
                        agreement.uncompared));
    }
    return result;
}

}  // namespace loglog
