#define XXH_INLINE_ALL
#include "db/import/import_source.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <map>
#include <system_error>

#include "db/files/publish.hpp"
#include "db/import/csv_table.hpp"
#include "db/import/event_file.hpp"
#include "db/import/json_lines.hpp"
#include "db/import/tracker_exports.hpp"
#include "engine/base/error.hpp"
#include "engine/base/nearest_name.hpp"

namespace loglog {
namespace {

namespace fs = std::filesystem;

constexpr std::array format_texts{"csv", "jsonl", "tensorboard", "wandb", "mlflow"};
constexpr std::string_view event_mark = "tfevents";

std::string hash_of(std::string_view bytes) {
    const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

/// The last part of the path, of a folder too.
std::string name_of(const fs::path& path) {
    const fs::path whole = fs::absolute(path).lexically_normal();
    return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

bool is_event_file(const fs::path& path) { return path.filename().string().find(event_mark) != std::string::npos; }

std::vector<fs::path> event_files_in(const fs::path& folder) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator{folder}) {
        if (entry.is_regular_file() && is_event_file(entry.path())) { files.push_back(entry.path()); }
    }
    std::sort(files.begin(), files.end());
    if (files.empty()) {
        throw InputError{folder.string() + ": no event file in this folder or below (a name with '" +
                         std::string{event_mark} + "' is wanted)"};
    }
    return files;
}

std::string run_name(const fs::path& path, const fs::path& event_file) {
    if (!fs::is_directory(path)) { return name_of(fs::absolute(event_file).parent_path()); }
    const std::string below = event_file.parent_path().lexically_relative(path).generic_string();
    return below == "." || below.empty() ? name_of(path) : below;
}

ImportSource read_events(const fs::path& path) {
    std::vector<EventRun> runs;
    std::string hashes;
    std::int64_t others = 0;
    for (const fs::path& file : fs::is_directory(path) ? event_files_in(path) : std::vector{path}) {
        const std::string bytes = read_file(file);
        hashes += hash_of(bytes) + "\n";
        const std::string name = run_name(path, file);
        if (runs.empty() || runs.back().name != name) { runs.push_back({name, {}}); }
        runs.back().files.push_back(parse_event_file(bytes, file.string()));
        others += runs.back().files.back().other_values;
    }
    ImportSource source{table_of_events(runs, path.string()), {name_of(path), "tensorboard", hash_of(hashes)}};
    if (source.table.rows.empty()) { throw InputError{path.string() + ": the event files hold no scalar"}; }
    if (others > 0) {
        source.table.notes.push_back(fmt::format("{} values that are no scalars were passed over", others));
    }
    return source;
}

ImportFormat guess(const fs::path& path, std::string_view text) {
    const std::string extension = path.extension().string();
    if (extension == ".jsonl" || extension == ".ndjson") { return ImportFormat::jsonl; }
    return trimmed(text.substr(0, 4096)).starts_with('{') ? ImportFormat::jsonl : ImportFormat::csv;
}

/// A CSV file as what its header says it is.
ImportTable as_export(ImportTable table, std::optional<ImportFormat> asked, ImportFormat& format) {
    if (asked == ImportFormat::wandb && !is_wandb_chart(table)) {
        throw InputError{table.source +
                         ": is no chart exported from W&B (a column of steps, then 'RUN - METRIC' columns); a table of "
                         "runs is read with --format csv"};
    }
    if (asked == ImportFormat::mlflow && !is_mlflow_export(table)) {
        throw InputError{table.source + ": is no MLflow runs.csv (columns run_id, params.*, metrics.*)"};
    }
    if (asked == ImportFormat::wandb || (!asked && is_wandb_chart(table))) {
        format = ImportFormat::wandb;
        return rows_of_wandb_chart(table);
    }
    if (asked == ImportFormat::mlflow || (!asked && is_mlflow_export(table))) { format = ImportFormat::mlflow; }
    return table;
}

}  // namespace

const char* to_text(ImportFormat format) noexcept { return format_texts[static_cast<std::size_t>(format)]; }

ImportFormat import_format_from(std::string_view text) {
    const auto found = std::find(format_texts.begin(), format_texts.end(), text);
    if (found != format_texts.end()) { return static_cast<ImportFormat>(found - format_texts.begin()); }
    throw InputError{"--format '" + std::string{text} + "' must be csv, jsonl, tensorboard, wandb or mlflow" +
                     did_you_mean(text, {format_texts.begin(), format_texts.end()})};
}

ImportSource read_import_source(const fs::path& path, std::optional<ImportFormat> format) {
    std::error_code error;
    if (!fs::exists(path, error)) { throw InputError{path.string() + ": there is no such file or folder"}; }
    const bool is_folder = fs::is_directory(path);
    if (is_folder && format && *format != ImportFormat::tensorboard) {
        throw InputError{path.string() + ": is a folder; a " + to_text(*format) + " file is wanted"};
    }
    if (is_folder || format == ImportFormat::tensorboard || (!format && is_event_file(path))) {
        return read_events(path);
    }
    const std::string text = read_file(path);
    ImportFormat used = format.value_or(guess(path, text));
    ImportTable table = used == ImportFormat::jsonl ? parse_json_lines(text, path.string())
                                                    : as_export(parse_csv_table(text, path.string()), format, used);
    return {std::move(table), {name_of(path), to_text(used), hash_of(text)}};
}

}  // namespace loglog
