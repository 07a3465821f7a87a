#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/spec/run_spec.hpp"

namespace loglog {

/// Reads one run's TOML. `overrides` are the values of `--set`: "model.width=256", the right side parsed as TOML (a
/// bare word is a string). Not yet resolved. Throws InputError listing every problem at once, one a line:
/// "file:line:column: model.widht: unknown key (did you mean 'model.width'?)".
RunSpec load_run_spec(const std::filesystem::path& file, const std::vector<std::string>& overrides = {});

/// The same from text; `source` names it in messages.
RunSpec parse_run_spec(std::string_view text, const std::string& source,
                       const std::vector<std::string>& overrides = {});

}  // namespace loglog
