#pragma once

#include <string>
#include <string_view>

#include "db/import/import_table.hpp"

namespace loglog {

/// Comma-separated values (RFC 4180: cells in `"` may hold commas, line ends and doubled quotes) with one header line;
/// empty lines and lines that start with `#` are passed over. Throws InputError that lists every malformed line with
/// its number, what was found and what was wanted.
ImportTable parse_csv_table(std::string_view text, const std::string& source);

}  // namespace loglog
