#include "apps/loglog/runs_output.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string_view>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view column_gap = "  ";

Json tags_as_json(const std::string& text) {
    Json tags = Json::array();
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find(',', begin), text.size());
        tags.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return tags;
}

Json as_json(const std::string& column, const Value& value) {
    if (const auto* text = std::get_if<std::string>(&value)) {
        if (column == "spec") { return Json::parse(*text); }
        return column == "tags" ? tags_as_json(*text) : Json(*text);
    }
    if (const auto* whole = std::get_if<std::int64_t>(&value)) { return *whole; }
    if (const auto* real = std::get_if<double>(&value)) { return *real; }
    return Json{};
}

std::string csv_field(const Value& value) {
    if (const auto* whole = std::get_if<std::int64_t>(&value)) { return std::to_string(*whole); }
    if (const auto* real = std::get_if<double>(&value)) { return fmt::format("{}", *real); }
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) { return ""; }
    if (text->find_first_of(",\"\r\n") == std::string::npos) { return *text; }
    std::string quoted = "\"";
    for (const char c : *text) { quoted += c == '"' ? "\"\"" : std::string(1, c); }
    return quoted + "\"";
}

/// 3-4 significant digits and a decimal prefix: 12.3k, 4.56M.
std::string count_as_text(double count) {
    constexpr std::array prefixes{"", "k", "M", "G", "T", "P", "E", "Z"};
    std::size_t power = 0;
    while (std::abs(count) >= 999.5 && power + 1 < prefixes.size()) {
        count /= 1000;
        ++power;
    }
    return power == 0 ? fmt::format("{:.4g}", count) : fmt::format("{:.3g}{}", count, prefixes[power]);
}

bool is_count(std::string_view column) {
    constexpr std::array counts = std::to_array<std::string_view>(
        {"total_params", "embedding_params", "head_params", "non_embedding_params", "tokens", "unique_tokens", "flops",
         "flops_6nd", "flops_per_token", "tokens_per_second"});
    return std::find(counts.begin(), counts.end(), column) != counts.end();
}

bool is_loss(std::string_view column) { return column.ends_with("_loss") || column == "bits_per_byte"; }

/// Columns that say nothing about how two runs differ.
bool is_incidental(std::string_view column) {
    constexpr std::array incidental =
        std::to_array<std::string_view>({"id", "folder", "created_at", "finished_at", "spec"});
    return std::find(incidental.begin(), incidental.end(), column) != incidental.end();
}

void flatten(const Json& value, const std::string& prefix, std::map<std::string, std::string>& out) {
    if (!value.is_object()) {
        out[prefix] = value.dump();
        return;
    }
    for (const auto& [key, member] : value.items()) { flatten(member, prefix + "." + key, out); }
}

}  // namespace

OutputFormat output_format_from(const std::string& text) {
    if (text == "table") { return OutputFormat::table; }
    if (text == "json") { return OutputFormat::json; }
    if (text == "csv") { return OutputFormat::csv; }
    throw InputError{"--format " + text + ": the formats are table, json and csv"};
}

std::string rows_as_json(const Table& table) {
    Json rows = Json::array();
    for (const auto& row : table.rows) {
        Json object = Json::object();
        for (std::size_t i = 0; i < row.size(); ++i) { object[table.columns[i]] = as_json(table.columns[i], row[i]); }
        rows.push_back(std::move(object));
    }
    return rows.dump(2) + "\n";
}

std::string rows_as_csv(const Table& table) {
    std::string text = fmt::format("{}\n", fmt::join(table.columns, ","));
    for (const auto& row : table.rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (i > 0) { text += ','; }
            text += csv_field(row[i]);
        }
        text += '\n';
    }
    return text;
}

std::string value_as_text(const std::string& column, const Value& value) {
    if (const auto* text = std::get_if<std::string>(&value)) { return *text; }
    double number = 0;
    if (const auto* whole = std::get_if<std::int64_t>(&value)) {
        if (!is_count(column)) { return std::to_string(*whole); }
        number = static_cast<double>(*whole);
    } else if (const auto* real = std::get_if<double>(&value)) {
        number = *real;
    } else {
        return "-";
    }
    if (is_count(column)) { return count_as_text(number); }
    if (is_loss(column)) { return fmt::format("{:.4f}", number); }
    if (column == "share_of_peak") { return fmt::format("{:.1f}%", 100 * number); }
    return fmt::format("{:.4g}", number);
}

Table without_empty_columns(const Table& table) {
    const auto is_empty = [](const Value& value) {
        const auto* text = std::get_if<std::string>(&value);
        return std::holds_alternative<std::monostate>(value) || (text != nullptr && text->empty());
    };
    Table kept;
    kept.rows.resize(table.rows.size());
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
        if (std::all_of(table.rows.begin(), table.rows.end(), [&](const auto& row) { return is_empty(row[i]); })) {
            continue;
        }
        kept.columns.push_back(table.columns[i]);
        for (std::size_t r = 0; r < table.rows.size(); ++r) { kept.rows[r].push_back(table.rows[r][i]); }
    }
    return kept;
}

std::string rows_as_text(const Table& table, std::size_t line_width) {
    std::vector<std::vector<std::string>> lines{table.columns};
    for (const auto& row : table.rows) {
        auto& line = lines.emplace_back();
        for (std::size_t i = 0; i < row.size(); ++i) { line.push_back(value_as_text(table.columns[i], row[i])); }
    }
    std::vector<std::size_t> widths(table.columns.size());
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < line.size(); ++i) { widths[i] = std::max(widths[i], line[i].size()); }
    }
    std::size_t shown = widths.size();
    const auto total = [&] {
        std::size_t sum = 0;
        for (std::size_t i = 0; i < shown; ++i) { sum += widths[i] + (i > 0 ? column_gap.size() : 0); }
        return sum;
    };
    while (line_width > 0 && shown > 1 && total() > line_width) { --shown; }

    std::string text;
    for (const auto& line : lines) {
        std::string out;
        for (std::size_t i = 0; i < shown; ++i) {
            const bool numeric = std::none_of(table.rows.begin(), table.rows.end(), [&](const auto& row) {
                return std::holds_alternative<std::string>(row[i]);
            });
            if (i > 0) { out += column_gap; }
            out += numeric ? fmt::format("{:>{}}", line[i], widths[i]) : fmt::format("{:<{}}", line[i], widths[i]);
        }
        out.erase(out.find_last_not_of(' ') + 1);
        text += out + "\n";
    }
    return text;
}

std::vector<Difference> differences(std::span<const RunRecord> runs) {
    std::vector<std::map<std::string, std::string>> flat(runs.size());
    std::vector<std::string> names = run_columns();
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const Json object = Json::parse(to_json(runs[i]));
        for (const auto& [column, value] : object.items()) {
            if (!is_incidental(column)) { flat[i][column] = value.dump(); }
        }
        if (object.at("spec").is_object()) { flatten(object.at("spec"), "spec", flat[i]); }
        for (const auto& entry : flat[i]) {
            if (entry.first.starts_with("spec.") && std::find(names.begin(), names.end(), entry.first) == names.end()) {
                names.push_back(entry.first);
            }
        }
    }
    std::vector<Difference> found;
    for (const std::string& name : names) {
        Difference difference{name, {}};
        for (const auto& values : flat) {
            const auto value = values.find(name);
            difference.values.push_back(value == values.end() ? "null" : value->second);
        }
        const auto& first = difference.values.front();
        if (std::any_of(difference.values.begin(), difference.values.end(),
                        [&](const auto& v) { return v != first; })) {
            found.push_back(std::move(difference));
        }
    }
    return found;
}

}  // namespace loglog
