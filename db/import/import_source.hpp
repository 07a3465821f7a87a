#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "db/import/import_table.hpp"
#include "db/import/imported_runs.hpp"

namespace loglog {

enum class ImportFormat {
    csv,
    jsonl,
    tensorboard,  ///< an event file, or a folder of runs that hold event files
    wandb,        ///< a chart exported as CSV
    mlflow,       ///< runs.csv
};

const char* to_text(ImportFormat format) noexcept;
/// Throws InputError for any other text, with the nearest one.
ImportFormat import_format_from(std::string_view text);

struct ImportSource {
    ImportTable table;
    ImportOrigin origin;
};

/// Reads the file or folder as `format`; without one, as its name and content suggest: a folder or a name with
/// "tfevents" is tensorboard, `.jsonl`, `.ndjson` or a first character `{` is jsonl, else it is a CSV file, whose
/// header tells wandb and mlflow. Throws InputError for what cannot be read so.
ImportSource read_import_source(const std::filesystem::path& path, std::optional<ImportFormat> format);

}  // namespace loglog
