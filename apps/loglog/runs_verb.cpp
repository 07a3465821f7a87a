#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/loglog/import_verb.hpp"
#include "apps/loglog/runs_curves.hpp"
#include "apps/loglog/runs_output.hpp"
#include "apps/loglog/verbs.hpp"
#include "db/files/publish.hpp"
#include "db/registry/registry.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/rebuild.hpp"
#include "experiments/run/run_folder.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

struct RunsOptions {
    std::string registry;
    RunQuery query;
    std::string columns;
    std::string format = "table";
    bool json = false;
    std::string id;
    std::vector<std::string> ids;
    std::string out;
    bool curves = false;
    std::vector<std::string> tags;
    bool remove = false;

    std::string folder() const { return registry_folder(registry); }
    OutputFormat output() const { return json ? OutputFormat::json : output_format_from(format); }
};

/// The useful columns, most useful first: rows_as_text leaves out from the right what does not fit.
const std::vector<std::string> table_columns{"id",
                                             "state",
                                             "attention",
                                             "layers",
                                             "width",
                                             "non_embedding_params",
                                             "tokens",
                                             "flops",
                                             "final_val_loss",
                                             "final_train_loss",
                                             "name",
                                             "tokens_per_second",
                                             "share_of_peak",
                                             "sweep",
                                             "lr",
                                             "seed",
                                             "seconds",
                                             "tags",
                                             "created_at"};

std::vector<std::string> split(const std::string& list) {
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin < list.size();) {
        const std::size_t end = std::min(list.find(',', begin), list.size());
        parts.push_back(list.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

/// Characters a line may have: those of the terminal; 0, no limit, where output goes elsewhere.
std::size_t line_width() {
    winsize size{};
    return ::isatty(STDOUT_FILENO) && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

Registry open_current(const std::string& folder) {
    refresh_registry(folder);
    return Registry::open(folder, Access::read);
}

void list_runs(const RunsOptions& options) {
    const Registry registry = open_current(options.folder());
    const OutputFormat format = options.output();
    RunQuery query = options.query;
    query.columns = split(options.columns);
    if (query.columns.empty() && format == OutputFormat::table) { query.columns = table_columns; }
    const Table table = registry.query(query);
    switch (format) {
        case OutputFormat::json:
            fmt::print("{}", rows_as_json(table));
            return;
        case OutputFormat::csv:
            fmt::print("{}", rows_as_csv(table));
            return;
        case OutputFormat::table:
            break;
    }
    if (table.rows.empty()) {
        fmt::print("no runs{} in {}\n", query.where.empty() ? "" : " that satisfy --where", options.folder());
        return;
    }
    fmt::print("{}", rows_as_text(options.columns.empty() ? without_empty_columns(table) : table, line_width()));
}

/// The one run that `id`, a whole or the start of one, stands for.
RunRecord find_one(const Registry& registry, const std::string& id) {
    auto found = registry.find_by_prefix(id);
    if (found.empty()) {
        throw InputError{
            fmt::format("no run '{}' in {} (an id, a name, or the start of one)", id, registry.folder().string())};
    }
    if (found.size() > 1) {
        std::string ids;
        for (const RunRecord& run : found) { ids += (ids.empty() ? "" : ", ") + run.id; }
        throw InputError{fmt::format("'{}' stands for {} runs: {}", id, found.size(), ids)};
    }
    return std::move(found.front());
}

/// When the run was started, resumed and ended, from its journal; empty if that cannot be read.
Json history_of(const std::filesystem::path& folder) {
    Json history = Json::array();
    if (!std::filesystem::exists(folder / "journal.jsonl")) { return history; }
    for (const JournalLine& line : read_journal(folder / "journal.jsonl").lines) {
        if (const auto* opened = std::get_if<OpenedLine>(&line)) {
            history.push_back({{"event", "opened"}, {"time", opened->time}, {"host", opened->owner.host}});
        } else if (const auto* resumed = std::get_if<ResumedLine>(&line)) {
            history.push_back({{"event", "resumed"},
                               {"time", resumed->time},
                               {"host", resumed->owner.host},
                               {"after_step", resumed->step}});
        } else if (const auto* closed = std::get_if<ClosedLine>(&line)) {
            history.push_back({{"event", "closed"},
                               {"time", closed->time},
                               {"state", to_text(closed->state)},
                               {"reason", closed->reason},
                               {"steps", closed->steps}});
        }
    }
    return history;
}

void show_run(const RunsOptions& options) {
    const Registry registry = open_current(options.folder());
    const RunRecord run = find_one(registry, options.id);
    const auto folder = run_folder(options.folder(), run.id);
    Json object = Json::parse(to_json(run));
    object["path"] = std::filesystem::absolute(folder).string();
    object["history"] = history_of(folder);
    if (options.output() == OutputFormat::json) {
        fmt::print("{}\n", object.dump(2));
        return;
    }
    for (const auto& [name, value] : object.items()) {
        if (value.is_null() || value.is_structured()) { continue; }
        fmt::print("{:<22}{}\n", name, value.is_string() ? value.get<std::string>() : value.dump());
    }
    if (!run.tags.empty()) { fmt::print("{:<22}{}\n", "tags", fmt::join(run.tags, ",")); }
    for (const Json& event : object["history"]) { fmt::print("{:<22}{}\n", "history", event.dump()); }
    fmt::print("spec\n{}\n", object["spec"].dump(2));
}

void compare_runs(const RunsOptions& options) {
    const Registry registry = open_current(options.folder());
    std::vector<RunRecord> runs;
    for (const std::string& id : options.ids) { runs.push_back(find_one(registry, id)); }
    if (runs.size() < 2) { throw InputError{"runs compare: name at least two runs"}; }
    const auto found = differences(runs);
    if (options.output() == OutputFormat::json) {
        Json object{{"runs", Json::array()}, {"differences", Json::object()}};
        for (const RunRecord& run : runs) { object["runs"].push_back(run.id); }
        for (const Difference& difference : found) {
            Json& values = object["differences"][difference.name] = Json::array();
            for (const std::string& value : difference.values) { values.push_back(Json::parse(value)); }
        }
        fmt::print("{}\n", object.dump(2));
        return;
    }
    Table table{{"column"}, {}};
    for (const RunRecord& run : runs) { table.columns.push_back(run.id); }
    for (const Difference& difference : found) {
        auto& row = table.rows.emplace_back();
        row.emplace_back(difference.name);
        for (const std::string& value : difference.values) {
            const Json parsed = Json::parse(value);
            row.emplace_back(parsed.is_null() ? "-" : parsed.is_string() ? parsed.get<std::string>() : value);
        }
    }
    fmt::print("{}", options.output() == OutputFormat::csv ? rows_as_csv(table) : rows_as_text(table, 0));
}

void export_runs(const RunsOptions& options) {
    const Registry registry = open_current(options.folder());
    const bool as_json =
        options.output() == OutputFormat::json || (options.format != "csv" && options.out.ends_with(".json"));
    RunQuery query = options.query;
    query.columns = split(options.columns);
    std::string text;
    std::size_t runs = 0;
    if (options.curves) {
        query.columns = {"id"};
        std::vector<NamedCurves> curves;
        for (const auto& row : registry.query(query).rows) {
            const auto& id = std::get<std::string>(row.at(0));
            curves.emplace_back(id, read_curves(run_folder(options.folder(), id)));
        }
        text = as_json ? curves_as_json(curves) : curves_as_csv(curves);
        runs = curves.size();
    } else {
        const Table table = registry.query(query);
        text = as_json ? rows_as_json(table) : rows_as_csv(table);
        runs = table.rows.size();
    }
    if (options.out == "-") {
        fmt::print("{}", text);
        return;
    }
    write_file(options.out, text, Durability::process);
    fmt::print(stderr, "{} run{} written to {}\n", runs, runs == 1 ? "" : "s", options.out);
}

void tag_run(const RunsOptions& options) {
    const std::string folder = options.folder();
    const RunRecord run = find_one(open_current(folder), options.id);
    std::vector<std::string> tags = run.tags;
    for (const std::string& tag : options.tags) {
        if (options.remove) {
            tags.erase(std::remove(tags.begin(), tags.end(), tag), tags.end());
        } else {
            tags.push_back(tag);
        }
    }
    const auto path = run_folder(folder, run.id);
    write_tags(path, tags);
    tags = read_tags(path);
    Registry::open(folder, Access::write).set_tags(run.id, tags);
    if (options.json) {
        fmt::print("{}\n", Json{{"id", run.id}, {"tags", tags}}.dump());
    } else {
        fmt::print("{}: {}\n", run.id, tags.empty() ? "no tags" : fmt::format("{}", fmt::join(tags, ", ")));
    }
}

void rebuild_runs(const RunsOptions& options, Program& program) {
    const RebuildReport report = rebuild_registry(options.folder());
    int total = 0;
    Json states = Json::object();
    for (const auto& [state, count] : report.runs) {
        states[to_text(state)] = count;
        total += count;
    }
    if (options.json) {
        Json unreadable = Json::array();
        for (const auto& [folder, why] : report.unreadable) {
            unreadable.push_back({{"folder", folder.string()}, {"why", why}});
        }
        fmt::print("{}\n", Json{{"total", total}, {"runs", states}, {"unreadable", unreadable}}.dump(2));
    } else {
        std::string list;
        for (const auto& [state, count] : states.items()) {
            list += fmt::format("{}{} {}", list.empty() ? "" : ", ", count.get<int>(), state);
        }
        fmt::print("registry rebuilt from {} run folder{}{}{}\n", total, total == 1 ? "" : "s",
                   list.empty() ? "" : ": ", list);
    }
    for (const auto& [folder, why] : report.unreadable) {
        fmt::print(stderr, "left out {}: {}\n", folder.string(), why);
    }
    if (!report.unreadable.empty()) { program.exit_status = 3; }
}

void add_query_options(CLI::App& verb, RunsOptions& options) {
    verb.add_option("--where", options.query.where,
                    "SQL expression over the view `runs`, such as \"width >= 64 and state = 'ok'\"");
    verb.add_option("--sort", options.query.sort, "COL[:asc|:desc],...; unknown values last (default: created_at)");
    verb.add_option("--limit", options.query.limit, "At most so many runs (default: all)");
    verb.add_option("--columns", options.columns, "COL,... (default: the useful ones in tables, else all)");
}

}  // namespace

void add_runs_verb(CLI::App& app, Program& program) {
    auto options = std::make_shared<RunsOptions>();
    auto* verb = app.add_subcommand("runs", "List, compare, export, tag and import the runs of a registry");
    verb->require_subcommand(1);

    const auto add = [&](const char* name, const char* text, auto action) {
        auto* sub = verb->add_subcommand(name, text);
        sub->add_option("--registry", options->registry,
                        "Folder of the runs (default: $LOGLOG_REGISTRY, else ./loglog-runs)");
        sub->add_flag("--json", options->json, "Print JSON");
        sub->callback([options, action, &program] {
            if constexpr (std::is_invocable_v<decltype(action), const RunsOptions&, Program&>) {
                action(*options, program);
            } else {
                action(*options);
            }
        });
        return sub;
    };

    auto* list = add("list", "Print runs, one a line", list_runs);
    add_query_options(*list, *options);
    list->add_option("--format", options->format, "table, json or csv (default: table)");

    auto* show = add("show", "Print everything known of a run", show_run);
    show->add_option("run", options->id, "Id or name of the run, or the start of one")->required();

    auto* compare = add("compare", "Print what differs between runs", compare_runs);
    compare->add_option("runs", options->ids, "Ids or names, or starts of them")->required();
    compare->add_option("--format", options->format, "table, json or csv (default: table)");

    auto* exported = add("export", "Write runs, or their full curves, to a file", export_runs);
    add_query_options(*exported, *options);
    exported->add_option("--out", options->out, "File to write; '-' for stdout")->required();
    exported->add_option("--format", options->format, "csv or json (default: by the file's ending, else csv)");
    exported->add_flag("--curves", options->curves, "Every step and evaluation, unsampled");

    auto* tag = add("tag", "Add tags to a run, or remove them", tag_run);
    tag->add_option("run", options->id, "Id or name of the run, or the start of one")->required();
    tag->add_option("tags", options->tags, "Tags")->required();
    tag->add_flag("--remove", options->remove, "Remove the tags instead");

    add("rebuild", "Make registry.sqlite again from the run folders alone", rebuild_runs);
    add_import_verb(*verb, program);
}

}  // namespace loglog
