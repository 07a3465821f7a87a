#pragma once

#include <string>
#include <string_view>

#include "db/import/import_table.hpp"

namespace loglog {

/// One JSON object a line; a nested member `{"config": {"lr": 1}}` becomes the column `config.lr`, an array stays text.
/// `NaN`, `Infinity` and `-Infinity`, which Python writes, are read as numbers. Throws InputError that lists every line
/// that is no object.
ImportTable parse_json_lines(std::string_view text, const std::string& source);

}  // namespace loglog
