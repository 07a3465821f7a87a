#include "apps/loglog/import_verb.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "apps/loglog/verbs.hpp"
#include "db/import/import_source.hpp"
#include "db/import/quantities.hpp"
#include "db/registry/registry.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/environment.hpp"
#include "experiments/run/imported_folder.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

struct ImportArguments {
    std::vector<std::string> files;
    std::string format;
    std::vector<std::string> maps;
    std::vector<std::string> scales;
    std::vector<std::string> values;
    std::string compute;
    std::string sweep;
    std::vector<std::string> tags;
    std::string registry;
    bool json = false;
};

/// "QUANTITY=TEXT" as its parts. Throws InputError for a quantity that there is not.
std::pair<std::string, std::string> quantity_and_text(const char* option, const std::string& argument,
                                                      const char* wanted) {
    const std::size_t equals = argument.find('=');
    if (equals == std::string::npos || equals + 1 == argument.size()) {
        throw InputError{fmt::format("{} '{}' must be QUANTITY={}", option, argument, wanted)};
    }
    const std::string quantity = argument.substr(0, equals);
    try {
        find_import_quantity(quantity);
    } catch (const InputError& error) { throw InputError{fmt::format("{} {}: {}", option, argument, error.what())}; }
    return {quantity, argument.substr(equals + 1)};
}

ImportOptions options_of(const ImportArguments& arguments) {
    ImportOptions options;
    for (const auto& map : arguments.maps) { options.columns.insert(quantity_and_text("--map", map, "COLUMN")); }
    for (const auto& value : arguments.values) { options.values.insert(quantity_and_text("--value", value, "VALUE")); }
    for (const auto& scale : arguments.scales) {
        const auto [quantity, text] = quantity_and_text("--scale", scale, "FACTOR");
        const auto factor = parse_import_number(text);
        if (!factor || !std::isfinite(*factor) || *factor <= 0) {
            throw InputError{fmt::format("--scale {}: the factor must be a number above 0, such as 1e6", scale)};
        }
        options.scales[quantity] = *factor;
    }
    if (!arguments.compute.empty() && arguments.compute != "6nd") {
        throw InputError{"--compute '" + arguments.compute + "' must be 6nd (C = 6 N D)"};
    }
    options.compute_6nd = arguments.compute == "6nd";
    return options;
}

struct ReadFile {
    std::string file;
    std::string format;
    ImportedTable table;
    std::size_t created = 0;
    std::size_t known = 0;
};

/// Reads every file before anything is written; one InputError tells the problems of all.
std::vector<ReadFile> read_all(const ImportArguments& arguments, const ImportOptions& options) {
    std::optional<ImportFormat> format;
    if (!arguments.format.empty()) { format = import_format_from(arguments.format); }
    std::vector<ReadFile> files;
    std::string problems;
    for (const std::string& file : arguments.files) {
        try {
            const ImportSource source = read_import_source(file, format);
            files.push_back({file, source.origin.format, import_runs(source.table, options, source.origin)});
        } catch (const InputError& error) { problems += (problems.empty() ? "" : "\n") + std::string{error.what()}; }
    }
    if (!problems.empty()) { throw InputError{problems + "\nnothing was imported"}; }
    for (ReadFile& file : files) {
        for (ImportedRun& run : file.table.runs) {
            run.record.sweep = arguments.sweep;
            run.record.tags = arguments.tags;
        }
    }
    return files;
}

/// Runs by name and start.
using KnownRuns = std::map<std::pair<std::string, std::string>, RunRecord>;

void remember(KnownRuns& known, std::span<const RunRecord> runs) {
    for (const RunRecord& run : runs) {
        const auto [place, is_new] = known.try_emplace({run.name, run.created_at}, run);
        if (!is_new && run.state == RunState::ok) { place->second = run; }  // of several one that is fitted
    }
}

/// Says which new runs have the name and the start of another that is there already, such as a log that was imported
/// before it was whole: its content differs, so both are runs of their own.
void note_same_starts(ReadFile& file, const KnownRuns& known, std::span<const RunRecord> created) {
    std::set<std::string> new_ids;
    for (const RunRecord& run : created) { new_ids.insert(run.id); }
    for (const ImportedRun& imported : file.table.runs) {
        const RunRecord& run = imported.record;
        if (run.name.empty() || run.created_at.empty() || !new_ids.contains(run.id)) { continue; }
        const auto found = known.find({run.name, run.created_at});
        if (found == known.end()) { continue; }
        const RunRecord& other = found->second;
        const bool both_count = run.state == RunState::ok && other.state == RunState::ok;
        file.table.notes.push_back(fmt::format(
            "run '{}' ({}): a run of this name and start is there already with other content: {} ({}){}", run.name,
            run.id, other.id, to_text(other.state),
            both_count ? fmt::format("; a fit takes both, unless told: --where \"id <> '{}'\"", other.id) : ""));
    }
}

void store(std::vector<ReadFile>& files, const std::string& folder, const std::string& environment) {
    Registry registry = Registry::open(folder, Access::write);
    KnownRuns known;
    remember(known, registry.select("family = 'external'"));
    for (ReadFile& file : files) {
        ImportOutcome outcome = create_imported_folders(folder, file.table.runs, environment);
        file.created = outcome.created.size();
        file.known = outcome.known.size();
        for (RunRecord& run : outcome.known) {  // of an import that was killed before it came to the registry
            if (!registry.find(run.id)) { outcome.created.push_back(std::move(run)); }
        }
        note_same_starts(file, known, outcome.created);
        registry.upsert(outcome.created);
        remember(known, outcome.created);
    }
}

Json as_json(const ReadFile& file, bool guessed) {
    Json ids = Json::array();
    for (const ImportedRun& run : file.table.runs) { ids.push_back(run.record.id); }
    Json quantities = Json::object();
    for (const auto& [quantity, text] : file.table.columns) { quantities[quantity] = text; }
    return {{"file", file.file}, {"format", file.format},    {"format_guessed", guessed}, {"quantities", quantities},
            {"runs", ids},       {"imported", file.created}, {"known", file.known},       {"notes", file.table.notes}};
}

void print_text(const ReadFile& file, bool guessed) {
    fmt::print("{}: {}{}, {} run{}: {} imported", file.file, file.format, guessed ? " (guessed)" : "",
               file.table.runs.size(), file.table.runs.size() == 1 ? "" : "s", file.created);
    fmt::print("{}\n", file.known == 0 ? "" : fmt::format(", {} there already (same content)", file.known));
    for (const auto& [quantity, text] : file.table.columns) { fmt::print("  {:<12} {}\n", quantity, text); }
    for (const auto& note : file.table.notes) { fmt::print("  note: {}\n", note); }
}

void import_files(const ImportArguments& arguments, const Program& program) {
    std::vector<ReadFile> files = read_all(arguments, options_of(arguments));
    const std::string folder = registry_folder(arguments.registry);
    store(files, folder, capture_environment(program.argc, program.argv));
    const bool guessed = arguments.format.empty();
    Json list = Json::array();
    std::size_t created = 0;
    for (const ReadFile& file : files) {
        created += file.created;
        if (arguments.json) {
            list.push_back(as_json(file, guessed));
        } else {
            print_text(file, guessed);
        }
    }
    if (arguments.json) {
        fmt::print("{}\n", Json{{"registry", folder}, {"imported", created}, {"files", list}}.dump(2));
    }
}

}  // namespace

void add_import_verb(CLI::App& runs, Program& program) {
    auto arguments = std::make_shared<ImportArguments>();
    CLI::App* verb = runs.add_subcommand("import", "Take runs that other programs trained into the registry");
    verb->add_option("files", arguments->files,
                     "CSV or JSON lines (a row is a run, or a step of a run), TensorBoard event files or folders of "
                     "them, charts exported from W&B, MLflow's runs.csv")
        ->required();
    verb->add_option("--format", arguments->format,
                     "csv, jsonl, tensorboard, wandb or mlflow (default: by name and content)");
    verb->add_option("--map", arguments->maps, "loss=COLUMN: the column (or tag) that holds a quantity")
        ->allow_extra_args(false);
    verb->add_option("--scale", arguments->scales, "N=1e6: the column is in millions; loss=0.693147: in bits")
        ->allow_extra_args(false);
    verb->add_option("--value", arguments->values, "N=1.2e8: what the file does not say, for all of its runs")
        ->allow_extra_args(false);
    verb->add_option("--compute", arguments->compute,
                     "6nd: C = 6 N D where the file has no C (default: C stays unknown)");
    verb->add_option("--sweep", arguments->sweep, "Name under which --sweep and the column `sweep` find the runs");
    verb->add_option("--tag", arguments->tags, "Tag of the runs")->allow_extra_args(false);
    verb->add_option("--registry", arguments->registry,
                     "Folder of the runs (default: $LOGLOG_REGISTRY, else ./loglog-runs)");
    verb->add_flag("--json", arguments->json, "Print JSON");
    verb->callback([arguments, &program] { import_files(*arguments, program); });
}

}  // namespace loglog
