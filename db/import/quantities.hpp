#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "db/registry/run_record.hpp"

namespace loglog {

/// A quantity that a column of a foreign table may hold, by the name that `--map NAME=COLUMN` uses.
struct ImportQuantity {
    using Target = std::variant<std::monostate, std::optional<std::int64_t> RunRecord::*,
                                std::optional<double> RunRecord::*, std::string RunRecord::*>;

    std::string_view name;
    Target target;                              ///< the record's member it is stored in; none: it is read specially
    std::string_view stored_as;                 ///< that member's column; empty without a target
    std::vector<std::string_view> usual_names;  ///< in the form that plain_name() gives, the likeliest first
};

/// All of them, in the order in which columns are guessed.
std::span<const ImportQuantity> import_quantities();
/// Throws InputError that names the nearest one.
const ImportQuantity& find_import_quantity(std::string_view name);

/// A column's name without a tracker's prefix (`params.`, `metrics.`, `tags.`, `config.`, `summary.`), in lower case,
/// everything but letters and digits as `_`: "metrics.val/loss" -> "val_loss".
std::string plain_name(std::string_view column);

/// A decimal number, "nan" and "inf" included; nothing for any other text.
std::optional<double> parse_import_number(std::string_view cell);

/// The state that a tracker's word stands for, in any case: finished, completed, ... ok; crashed, failed ... failed;
/// killed, running, ... stopped; diverged. Nothing for other words.
std::optional<RunState> state_of_word(std::string_view word);

/// Seconds since 1970, milliseconds since 1970 or ISO 8601 without an offset or in UTC, as "2025-03-01T12:30:00Z".
/// Nothing for any other text.
std::optional<std::string> utc_time_of(std::string_view cell);

}  // namespace loglog
