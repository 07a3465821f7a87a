#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/spec/field_value.hpp"

namespace loglog {

/// Every value of a TOML text under its dotted key, in the order written; tables are only part of keys, and a quoted
/// key "model.width" is the same as a dotted one. Syntax errors and dates become problems.
std::vector<Assignment> read_toml(std::string_view text, const std::string& source, std::vector<SpecProblem>& problems);

/// The same for "key=value" of `--set`; a value that is no TOML but a bare word or path is a string.
std::vector<Assignment> read_override(const std::string& text, std::vector<SpecProblem>& problems);

/// A file's bytes. Throws InputError if it cannot be read.
std::string read_text_file(const std::filesystem::path& file);

}  // namespace loglog
