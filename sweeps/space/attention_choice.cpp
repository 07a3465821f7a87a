#include "sweeps/space/attention_choice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

#include "engine/base/nearest_name.hpp"
#include "experiments/spec/enum_names.hpp"
#include "experiments/spec/fields.hpp"

namespace loglog {
namespace {

std::vector<std::string> kind_names() {
    std::vector<std::string> names;
    for (const auto& [kind, name] : EnumNames<AttentionKind>::values) { names.emplace_back(name); }
    return names;
}

std::vector<std::string> split_at_hyphens(const std::string& text) {
    std::vector<std::string> parts(1);
    for (const char c : text) {
        if (c == '-') {
            parts.emplace_back();
        } else {
            parts.back() += c;
        }
    }
    return parts;
}

// "3:1" -> 4
std::optional<std::int64_t> every_of(const std::string& ratio) {
    std::int64_t layers = 0;
    const auto [rest, error] = std::from_chars(ratio.data(), ratio.data() + ratio.size(), layers);
    const std::string_view tail{rest, static_cast<std::size_t>(ratio.data() + ratio.size() - rest)};
    if (error != std::errc{} || layers < 1 || layers > 1'000'000 || tail != ":1") { return std::nullopt; }
    return layers + 1;
}

// What is wrong with a name, if anything; its keys go into `choice`.
std::optional<std::string> read_name(const std::string& name, const SourcePlace& place, AttentionChoice& choice) {
    const std::vector<std::string> parts = split_at_hyphens(name);
    const std::vector<std::string> kinds = kind_names();
    if (std::find(kinds.begin(), kinds.end(), parts[0]) == kinds.end()) {
        return fmt::format("'{}' is no kind of attention{}; the kinds are {}", name, did_you_mean(parts[0], kinds),
                           alternatives<AttentionKind>());
    }
    choice.assignments.push_back({"model.attention.kind", {parts[0]}, place});
    if (parts.size() == 1) { return std::nullopt; }
    const auto every = every_of(parts[1]);
    if (!every || parts.size() > 3) {
        return fmt::format("'{}' is no name of a hybrid, such as \"gdn-3:1\" (three layers of gdn to one of dense)",
                           name);
    }
    choice.assignments.push_back({"model.attention.every", {*every}, place});
    if (parts.size() == 3) { choice.assignments.push_back({"model.attention.minority", {parts[2]}, place}); }
    return std::nullopt;
}

void read_table(const FieldValue::Table& table, const std::string& prefix, const SourcePlace& place,
                AttentionChoice& choice) {
    for (const auto& [name, value] : table) {
        const std::string key = prefix + name;
        if (const auto* inner = std::get_if<FieldValue::Table>(&value.data)) {
            read_table(*inner, key + ".", place, choice);
        } else {
            const bool in_full = key.find('.') != std::string::npos;
            choice.assignments.push_back({in_full ? key : "model.attention." + key, value, place});
        }
    }
}

}  // namespace

AttentionChoice read_attention_choice(const FieldValue& value, const std::string& key, const SourcePlace& place,
                                      std::vector<SpecProblem>& problems) {
    AttentionChoice choice;
    choice.text = to_text(value);
    if (const auto* name = std::get_if<std::string>(&value.data)) {
        choice.text = *name;
        if (auto problem = read_name(*name, place, choice)) { problems.push_back({place, key, std::move(*problem)}); }
    } else if (const auto* table = std::get_if<FieldValue::Table>(&value.data)) {
        read_table(*table, "", place, choice);
    } else {
        problems.push_back({place, key,
                            fmt::format("has {} but must have names, such as \"gdn-3:1\", and tables, such as "
                                        "{{ kind = \"window\", window = 128 }}",
                                        choice.text)});
    }
    RunSpec scratch;
    for (const Assignment& assignment : choice.assignments) {
        if (auto message = assign(scratch, assignment.key, assignment.value)) {
            problems.push_back({place, key, fmt::format("{}: {} {}", choice.text, assignment.key, *message)});
        }
    }
    return choice;
}

}  // namespace loglog
