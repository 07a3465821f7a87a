#include "db/import/row_reader.hpp"

#include <fmt/format.h>

#include <cmath>

#include "db/import/quantities.hpp"

namespace loglog {
namespace {

constexpr double largest_count = 9e18;  // of std::int64_t

bool may_be_zero(std::string_view quantity) {
    return quantity == "seed" || quantity == "step" || quantity == "steps" || quantity == "embedding_params" ||
           quantity == "head_params";
}

}  // namespace

std::string_view RowReader::text(const ImportTable::Row& row, std::string_view quantity) const {
    if (const auto column = choice_.column(quantity)) {
        const std::string_view cell = trimmed(row.cells[*column]);
        return says_nothing(cell) ? std::string_view{} : cell;
    }
    const auto value = choice_.values.find(quantity);
    return value == choice_.values.end() ? std::string_view{} : std::string_view{value->second};
}

std::string RowReader::place_of(std::string_view quantity) const {
    const auto column = choice_.column(quantity);
    return column ? "column '" + table_.columns[*column] + "'" : "--value " + std::string{quantity};
}

void RowReader::problem(const ImportTable::Row& row, std::string_view quantity, const std::string& what) {
    problems_.add(row.place + ", " + place_of(quantity) + ": " + what);
}

std::optional<double> RowReader::number(const ImportTable::Row& row, std::string_view quantity) {
    const std::string_view cell = text(row, quantity);
    if (cell.empty()) { return std::nullopt; }
    const auto value = parse_import_number(cell);
    if (!value) {
        problem(row, quantity, fmt::format("found '{}', wanted a number for {}", cell, quantity));
        return std::nullopt;
    }
    const auto scale = options_.scales.find(std::string{quantity});
    return scale == options_.scales.end() ? *value : *value * scale->second;
}

std::optional<double> RowReader::positive(const ImportTable::Row& row, std::string_view quantity) {
    const auto value = number(row, quantity);
    if (!value || std::isnan(*value)) { return std::nullopt; }
    if (std::isfinite(*value) && *value > 0) { return value; }
    problem(row, quantity, fmt::format("found '{}', wanted {} above 0", text(row, quantity), quantity));
    return std::nullopt;
}

std::optional<double> RowReader::so_far(const ImportTable::Row& row, std::string_view quantity) {
    const auto value = number(row, quantity);
    if (!value || std::isnan(*value)) { return std::nullopt; }
    if (std::isfinite(*value) && *value >= 0) { return value; }
    problem(row, quantity, fmt::format("found '{}', wanted {}, at least 0", text(row, quantity), quantity));
    return std::nullopt;
}

std::optional<std::int64_t> RowReader::count(const ImportTable::Row& row, std::string_view quantity) {
    const auto value = number(row, quantity);
    if (!value || std::isnan(*value)) { return std::nullopt; }
    const bool in_range = *value > 0 ? *value < largest_count : *value == 0 && may_be_zero(quantity);
    if (!in_range) {
        problem(row, quantity,
                fmt::format("found '{}', wanted {} as a whole number{}", text(row, quantity), quantity,
                            may_be_zero(quantity) ? "" : " above 0"));
        return std::nullopt;
    }
    // A computed count, such as D = C / 6N, is seldom whole; below a million that is another unit.
    constexpr double rounding_allowed_from = 1e6;
    const double whole = std::round(*value);
    if (*value < rounding_allowed_from && std::abs(whole - *value) > 1e-9 * *value) {
        problem(row, quantity,
                fmt::format("found '{}', wanted {} as a whole number (in millions or billions? say --scale {}=1e6)",
                            text(row, quantity), quantity, quantity));
        return std::nullopt;
    }
    return static_cast<std::int64_t>(whole);
}

std::optional<double> RowReader::loss(const ImportTable::Row& row, std::string_view quantity) {
    const auto value = number(row, quantity);
    if (value && *value <= 0) {
        problem(row, quantity,
                fmt::format("found '{}', wanted a loss above 0, in nats per token", text(row, quantity)));
        return std::nullopt;
    }
    return value;
}

void RowReader::fill(RunRecord& record, const ImportTable::Row& row, const std::set<std::string_view>& except) {
    for (const ImportQuantity& quantity : import_quantities()) {
        if (!choice_.has(quantity.name) || except.contains(quantity.name)) { continue; }
        if (quantity.name == "loss" || quantity.name == "train_loss") { continue; }
        if (const auto* integer = std::get_if<std::optional<std::int64_t> RunRecord::*>(&quantity.target)) {
            if (const auto value = count(row, quantity.name)) { record.*(*integer) = value; }
        } else if (const auto* real = std::get_if<std::optional<double> RunRecord::*>(&quantity.target)) {
            if (const auto value = positive(row, quantity.name)) { record.*(*real) = value; }
        } else if (const auto* words = std::get_if<std::string RunRecord::*>(&quantity.target)) {
            const std::string_view cell = text(row, quantity.name);
            const bool is_time = quantity.name == "created" || quantity.name == "finished";
            record.*(*words) = is_time ? utc_time_of(cell).value_or("") : std::string{cell};
        }
    }
}

}  // namespace loglog
