#include "analysis/fit/dataset.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <optional>
#include <set>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr std::size_t most_problems_listed = 20;

/// Problems of one input, thrown together.
class Problems {
  public:
    void add(std::string problem) { list_.push_back(std::move(problem)); }
    void throw_if_any(const std::string& source) const {
        if (list_.empty()) { return; }
        std::string text =
            source + ": " + std::to_string(list_.size()) + (list_.size() == 1 ? " problem" : " problems");
        for (std::size_t i = 0; i < std::min(list_.size(), most_problems_listed); ++i) { text += "\n  " + list_[i]; }
        if (list_.size() > most_problems_listed) {
            text += "\n  and " + std::to_string(list_.size() - most_problems_listed) + " more";
        }
        throw InputError{text};
    }

  private:
    std::vector<std::string> list_;
};

std::string_view trim(std::string_view text) {
    constexpr std::string_view blanks = " \t\r";
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) { return {}; }
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// Cells of one line, or nothing where a quote is not closed.
std::optional<std::vector<std::string>> split(std::string_view line) {
    std::vector<std::string> cells;
    std::string cell;
    bool quoted = false;
    bool was_quoted = false;
    const auto finish = [&] {
        cells.push_back(was_quoted ? cell : std::string{trim(cell)});
        cell.clear();
        was_quoted = false;
    };
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (quoted) {
            if (c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
                cell += line[++i];
            } else if (c == '"') {
                quoted = false;
            } else {
                cell += c;
            }
        } else if (c == '"' && trim(cell).empty()) {
            cell.clear();
            quoted = was_quoted = true;
        } else if (c == ',') {
            finish();
        } else if (!was_quoted || trim(std::string_view{&c, 1}).size() == 1) {
            cell += c;
        }
    }
    if (quoted) { return std::nullopt; }
    finish();
    return cells;
}

std::optional<double> parse_number(std::string_view text) {
    double value = 0;
    if (!text.empty() && text.front() == '+') { text.remove_prefix(1); }
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status != std::errc{} || end != text.data() + text.size()) { return std::nullopt; }
    return value;
}

std::vector<std::string_view> usual_names(std::string_view quantity) {
    if (quantity == "N") { return {"N", "params", "parameters", "n_params"}; }
    if (quantity == "D") { return {"D", "tokens", "n_tokens"}; }
    if (quantity == "C") { return {"C", "flops", "compute"}; }
    if (quantity == "loss") { return {"loss", "val_loss", "final_val_loss"}; }
    return {quantity};
}

std::size_t edit_distance(std::string_view left, std::string_view right) {
    std::vector<std::size_t> row(right.size() + 1);
    for (std::size_t j = 0; j <= right.size(); ++j) { row[j] = j; }
    for (std::size_t i = 1; i <= left.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= right.size(); ++j) {
            const std::size_t substitution =
                diagonal + (std::tolower(left[i - 1]) == std::tolower(right[j - 1]) ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitution});
        }
    }
    return row.back();
}

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const auto& name : names) { text += (text.empty() ? "" : ", ") + name; }
    return text;
}

std::optional<std::size_t> position(const Dataset& data, std::string_view column) {
    const auto found = std::find(data.columns.begin(), data.columns.end(), column);
    if (found == data.columns.end()) { return std::nullopt; }
    return static_cast<std::size_t>(found - data.columns.begin());
}

std::optional<std::size_t> position_of_quantity(const Dataset& data, std::string_view quantity,
                                                const std::map<std::string, std::string>& mapping) {
    const auto mapped = mapping.find(std::string{quantity});
    if (mapped != mapping.end()) { return position(data, mapped->second); }
    for (const auto name : usual_names(quantity)) {
        if (const auto found = position(data, name)) { return found; }
    }
    return std::nullopt;
}

/// What a column may stand for, by the names that the program's own tables use.
constexpr std::array quantities{"N",
                                "D",
                                "C",
                                "loss",
                                "U",
                                "run",
                                "seed",
                                "step",
                                "lr",
                                "schedule",
                                "batch",
                                "weight",
                                "N_star",
                                "D_star",
                                "loss_star",
                                "N_star_logstd",
                                "D_star_logstd",
                                "loss_star_logstd"};

bool names(std::string_view column, std::string_view quantity) {
    const auto usual = usual_names(quantity);
    return std::find(usual.begin(), usual.end(), column) != usual.end();
}

/// Whether one of the column's parts ("N" and "nonembed" of N_nonembed) is a usual name of the quantity.
bool has_part(std::string_view column, std::string_view quantity) {
    for (std::size_t begin = 0; begin < column.size();) {
        const std::size_t end = std::min(column.find_first_of("_-. ", begin), column.size());
        if (names(column.substr(begin, end - begin), quantity)) { return true; }
        begin = end + 1;
    }
    return false;
}

/// Columns that may have been meant: those with the name as a part, else the nearest by spelling.
std::vector<std::string> candidates(const Dataset& data, std::string_view wanted) {
    constexpr std::size_t most_named = 3;
    const bool is_quantity = std::find(quantities.begin(), quantities.end(), wanted) != quantities.end();
    std::vector<std::string> with_part;
    std::vector<std::string> nearest;
    std::size_t least = wanted.size() / 2 + 1;
    for (const auto& name : data.columns) {
        const bool is_another = is_quantity && std::any_of(quantities.begin(), quantities.end(),
                                                           [&](const char* quantity) { return names(name, quantity); });
        if (is_another) { continue; }
        if (has_part(name, wanted) && with_part.size() < most_named) { with_part.push_back(name); }
        if (const auto distance = edit_distance(name, wanted);
            distance < std::min(least, std::max<std::size_t>(name.size(), 1))) {
            least = distance;
            nearest = {name};
        }
    }
    return with_part.empty() ? nearest : with_part;
}

std::string did_you_mean(const std::vector<std::string>& columns) {
    std::string text;
    for (const auto& name : columns) { text += (text.empty() ? " (did you mean '" : " or '") + name + "'"; }
    return text.empty() ? text : text + "?)";
}

void read_header(Dataset& data, const std::vector<std::string>& cells, std::size_t line, Problems& problems) {
    if (cells.size() == 1 && cells[0].find_first_of(";\t") != std::string::npos) {
        problems.add("line " + std::to_string(line) + ": cells are separated by " +
                     (cells[0].find(';') == std::string::npos ? "tabs" : "semicolons") + ", but commas are wanted");
    }
    std::set<std::string> seen;
    for (const auto& name : cells) {
        if (name.empty()) { problems.add("line " + std::to_string(line) + ": a column has no name"); }
        if (!name.empty() && !seen.insert(name).second) {
            problems.add("line " + std::to_string(line) + ": column '" + name + "' appears twice");
        }
    }
    data.columns = cells;
}

}  // namespace

Dataset read_csv(std::istream& in, const std::string& source) {
    Dataset data;
    data.source = source;
    Problems problems;
    std::string text;
    for (std::size_t line = 1; std::getline(in, text); ++line) {
        if (line == 1 && text.starts_with("\xEF\xBB\xBF")) { text.erase(0, 3); }  // the mark some editors leave
        const auto content = trim(text);
        if (content.empty() || content.front() == '#') { continue; }
        const auto cells = split(content);
        if (!cells) {
            problems.add("line " + std::to_string(line) + ": a quoted cell is not closed");
        } else if (data.columns.empty()) {
            read_header(data, *cells, line, problems);
        } else if (cells->size() != data.columns.size()) {
            problems.add("line " + std::to_string(line) + ": found " + std::to_string(cells->size()) +
                         " cells, wanted " + std::to_string(data.columns.size()) + " (" + joined(data.columns) + ")");
        } else {
            data.rows.push_back(*cells);
            data.row_names.push_back("line " + std::to_string(line));
        }
    }
    if (data.columns.empty()) {
        problems.add("no header line: the first line that is not a comment names the columns");
    }
    problems.throw_if_any(source);
    if (data.rows.empty()) { throw InputError{source + ": no rows under the header (" + joined(data.columns) + ")"}; }
    return data;
}

Dataset read_csv(const std::filesystem::path& file) {
    if (std::filesystem::is_directory(file)) {
        throw InputError{file.string() + ": is a folder, a CSV file is wanted"};
    }
    std::ifstream in{file};
    if (!in) { throw InputError{file.string() + ": cannot be read (does it exist, and may you read it?)"}; }
    return read_csv(in, file.string());
}

bool has_column(const Dataset& data, std::string_view quantity, const std::map<std::string, std::string>& mapping) {
    return position_of_quantity(data, quantity, mapping).has_value();
}

std::size_t find_column(const Dataset& data, std::string_view quantity,
                        const std::map<std::string, std::string>& mapping) {
    if (const auto found = position_of_quantity(data, quantity, mapping)) { return *found; }
    const auto mapped = mapping.find(std::string{quantity});
    std::string wanted{quantity};
    if (mapped != mapping.end()) { wanted = mapped->second; }
    throw InputError{data.source + ": no column '" + wanted + "'" + did_you_mean(candidates(data, wanted)) +
                     "; the columns are " + joined(data.columns) +
                     (usual_names(quantity).size() > 1
                          ? "; name another with --map " + std::string{quantity} + "=COLUMN"
                          : std::string{})};
}

std::vector<std::vector<double>> positive_columns(const Dataset& data, const std::vector<std::size_t>& columns) {
    Problems problems;
    std::vector<std::vector<double>> numbers(columns.size());
    for (std::size_t row = 0; row < data.rows.size(); ++row) {
        for (std::size_t k = 0; k < columns.size(); ++k) {
            const auto& cell = data.rows[row][columns[k]];
            const auto value = parse_number(cell);
            if (!value || !std::isfinite(*value) || *value <= 0) {
                problems.add(data.row_names[row] + ": column '" + data.columns[columns[k]] + "' holds '" + cell +
                             "' but must be a positive number");
            }
            numbers[k].push_back(value.value_or(0));
        }
    }
    problems.throw_if_any(data.source);
    return numbers;
}

}  // namespace loglog
