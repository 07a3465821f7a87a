#include "db/import/json_lines.hpp"

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

/// The line with NaN, Infinity and -Infinity outside of texts put in quotes.
std::string with_quoted_specials(std::string_view line) {
    std::string result;
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        if (quoted && line[i] == '\\' && i + 1 < line.size()) {
            result += line[i++];
        } else if (line[i] == '"') {
            quoted = !quoted;
        } else if (!quoted) {
            std::size_t length = 0;
            for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
                if (line.substr(i).starts_with(word)) { length = word.size(); }
            }
            if (length > 0) {
                result.append("\"").append(line.substr(i, length)).append("\"");
                i += length - 1;
                continue;
            }
        }
        result += line[i];
    }
    return result;
}

class TableBuilder {
  public:
    explicit TableBuilder(const std::string& source) { table_.source = source; }

    void add_row(std::string place, const Json& object) {
        table_.rows.push_back({std::move(place), {}});
        add_members("", object);
    }

    ImportTable finish() {
        for (auto& row : table_.rows) { row.cells.resize(table_.columns.size()); }
        return std::move(table_);
    }

  private:
    void add_members(const std::string& prefix, const Json& object) {
        for (const auto& [key, value] : object.items()) {
            const std::string name = prefix + key;
            if (value.is_object()) {
                add_members(name + ".", value);
            } else if (!value.is_null()) {
                set(name, value.is_string() ? value.get<std::string>() : value.dump());
            }
        }
    }

    void set(const std::string& name, std::string text) {
        const auto [found, is_new] = positions_.try_emplace(name, table_.columns.size());
        if (is_new) { table_.columns.push_back(name); }
        auto& cells = table_.rows.back().cells;
        if (cells.size() <= found->second) { cells.resize(found->second + 1); }
        cells[found->second] = std::move(text);
    }

    ImportTable table_;
    std::map<std::string, std::size_t> positions_;
};

/// The first member that stands twice in one object of the JSON: a parser would keep one of the two and not say so.
class RepeatedMember {
  public:
    bool operator()(Json::parse_event_t event, const Json& parsed) {
        if (event == Json::parse_event_t::object_start) {
            open_.emplace_back();
        } else if (event == Json::parse_event_t::object_end) {
            open_.pop_back();
        } else if (event == Json::parse_event_t::key && !open_.back().insert(parsed.get<std::string>()).second) {
            if (!name_) { name_ = parsed.get<std::string>(); }
        }
        return true;  // keep what was parsed
    }
    const std::optional<std::string>& name() const noexcept { return name_; }

  private:
    std::vector<std::set<std::string>> open_;  ///< members of the objects around, outermost first
    std::optional<std::string> name_;
};

/// Why the line is no JSON object, or nothing; what it holds goes into `object`.
std::optional<std::string> fault_of(std::string_view line, Json& object) {
    RepeatedMember repeated;
    try {
        object = Json::parse(with_quoted_specials(line), [&](int, Json::parse_event_t event, const Json& parsed) {
            return repeated(event, parsed);
        });
    } catch (const nlohmann::json::exception& error) {
        const std::string_view what = error.what();  // "[json.exception.parse_error.101] parse error at ..."
        return "is no JSON: " + std::string{what.substr(std::min(what.find("] ") + 2, what.size()))};
    }
    if (repeated.name()) { return "two members have the name '" + *repeated.name() + "'"; }
    if (object.is_object()) { return std::nullopt; }
    return "found " + std::string{object.type_name()} + ", wanted an object such as {\"N\": 1e6, \"loss\": 3.2}";
}

}  // namespace

ImportTable parse_json_lines(std::string_view text, const std::string& source) {
    TableBuilder builder{source};
    ImportProblems problems{source};
    std::size_t number = 0;
    std::size_t rows = 0;
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        const std::string_view line = trimmed(text.substr(begin, end - begin));
        begin = end + 1;
        ++number;
        if (line.empty() || line.front() == '#') { continue; }
        Json object;
        const std::string place = "line " + std::to_string(number);
        if (const auto fault = fault_of(line, object)) {
            problems.add(place + ": " + *fault);
        } else {
            builder.add_row(place, object);
            ++rows;
        }
    }
    if (problems.empty() && rows == 0) { problems.add("no line with a JSON object"); }
    if (rows == 0) { problems.throw_if_any(); }
    ImportTable table = builder.finish();
    table.problems = problems.list();
    return table;
}

}  // namespace loglog
