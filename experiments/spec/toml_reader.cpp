#include "experiments/spec/toml_reader.hpp"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

// Collects the leaves of a document; `place_of` turns a position in it into words.
class Flattener {
  public:
    Flattener(std::string source, std::vector<SpecProblem>& problems)
        : source_{std::move(source)}, problems_{problems} {}

    void table(const toml::table& table, const std::string& prefix) {
        for (const auto& [key, node] : table) {
            const std::string full = prefix + std::string{key.str()};
            if (const auto* inner = node.as_table()) {
                this->table(*inner, full + ".");
            } else {
                leaves_.push_back({key.source().begin, {full, value(node, full), place(key.source().begin)}});
            }
        }
    }

    // toml++ keeps tables sorted by key; people read problems in the order of the file.
    std::vector<Assignment> in_order() && {
        std::stable_sort(leaves_.begin(), leaves_.end(),
                         [](const Leaf& a, const Leaf& b) { return a.position < b.position; });
        std::vector<Assignment> assignments;
        for (Leaf& leaf : leaves_) { assignments.push_back(std::move(leaf.assignment)); }
        return assignments;
    }

  private:
    struct Leaf {
        toml::source_position position;
        Assignment assignment;
    };

    SourcePlace place(const toml::source_position& position) const {
        return {source_.starts_with("--set") ? source_
                                             : fmt::format("{}:{}:{}", source_, position.line, position.column)};
    }

    FieldValue value(const toml::node& node, const std::string& key) {
        if (const auto* flag = node.as_boolean()) { return {flag->get()}; }
        if (const auto* integer = node.as_integer()) { return {integer->get()}; }
        if (const auto* real = node.as_floating_point()) { return {real->get()}; }
        if (const auto* text = node.as_string()) { return {text->get()}; }
        if (const auto* table = node.as_table()) {
            FieldValue::Table fields;
            for (const auto& [name, inner] : *table) {
                fields.emplace_back(std::string{name.str()}, value(inner, key));
            }
            return {fields};
        }
        FieldValue::List list;
        if (const auto* array = node.as_array()) {
            for (const toml::node& element : *array) { list.push_back(value(element, key)); }
        } else {
            problems_.push_back(
                {place(node.source().begin), key, "must be a number, string, true or false, or a list"});
        }
        return {list};
    }

    std::string source_;
    std::vector<SpecProblem>& problems_;
    std::vector<Leaf> leaves_;
};

bool is_bare_word(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || std::strchr("_-./~:", c) != nullptr;
    }) && (std::isalpha(static_cast<unsigned char>(text[0])) != 0 || std::strchr("./~_", text[0]) != nullptr);
}

}  // namespace

std::vector<Assignment> read_toml(std::string_view text, const std::string& source,
                                  std::vector<SpecProblem>& problems) {
    try {
        const toml::table document = toml::parse(text, source);
        Flattener flattener{source, problems};
        flattener.table(document, "");
        return std::move(flattener).in_order();
    } catch (const toml::parse_error& error) {
        const auto& position = error.source().begin;
        problems.push_back({{fmt::format("{}:{}:{}", source, position.line, position.column)},
                            "",
                            fmt::format("not valid TOML: {}", error.description())});
        return {};
    }
}

std::vector<Assignment> read_override(const std::string& text, std::vector<SpecProblem>& problems) {
    const SourcePlace place{"--set " + text};
    const auto equals = text.find('=');
    std::string key = text.substr(0, equals);
    std::erase_if(key, [](char c) { return c == '"' || c == '\'' || c == ' '; });
    if (equals == std::string::npos || key.empty()) {
        problems.push_back({place, "", "must be KEY=VALUE, such as model.width=256"});
        return {};
    }
    const std::string value = text.substr(equals + 1);
    try {
        const toml::table document = toml::parse("v = " + value);
        Flattener flattener{place.text, problems};
        toml::table named;
        named.insert(key, *document.get("v"));
        flattener.table(named, "");
        return std::move(flattener).in_order();
    } catch (const toml::parse_error& error) {
        if (is_bare_word(value)) { return {{key, {value}, place}}; }
        problems.push_back({place, key, fmt::format("the value is not valid TOML: {}", error.description())});
        return {};
    }
}

std::string read_text_file(const std::filesystem::path& file) {
    std::ifstream stream{file, std::ios::binary};
    std::ostringstream text;
    if (!stream || std::filesystem::is_directory(file) || !(text << stream.rdbuf())) {
        const int code = errno;
        if (!stream || std::filesystem::is_directory(file)) {
            throw InputError{fmt::format("cannot read '{}': {}", file.string(),
                                         std::filesystem::is_directory(file) ? "it is a folder" : std::strerror(code))};
        }
    }
    return text.str();
}

}  // namespace loglog
