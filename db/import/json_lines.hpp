#pragma once

#include <string>
#include <string_view>

#include "db/import/import_table.hpp"

namespace loglog {

/// One JSON object a line; a nested member `{"config": {"lr": 1}}` becomes the column `config.lr`, an array stays text.
/// `NaN`, `Infinity` and `-Infinity`, which Python writes, are read as numbers. Lines that are no object, or
/// have a member twice, become the table's problems. Throws InputError that lists them where no other line is left.
ImportTable parse_json_lines(std::string_view text, const std::string& source);

}  // namespace loglog
