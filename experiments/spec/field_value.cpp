#include "experiments/spec/field_value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

struct ValueText {
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::int64_t value) const { return fmt::format("{}", value); }
    std::string operator()(double value) const { return fmt::format("{}", value); }
    std::string operator()(const std::string& value) const {
        std::string quoted = "\"";
        for (const char c : value) {
            if (c == '"' || c == '\\') { quoted += '\\'; }
            quoted += c;
        }
        return quoted + "\"";
    }
    std::string operator()(const FieldValue::List& list) const {
        std::vector<std::string> parts;
        for (const FieldValue& value : list) { parts.push_back(to_text(value)); }
        return fmt::format("[{}]", fmt::join(parts, ", "));
    }
    std::string operator()(const FieldValue::Table& table) const {
        std::vector<std::string> parts;
        for (const auto& [key, value] : table) { parts.push_back(key + " = " + to_text(value)); }
        return fmt::format("{{ {} }}", fmt::join(parts, ", "));
    }
};

}  // namespace

std::string to_text(const FieldValue& value) { return std::visit(ValueText{}, value.data); }

std::optional<double> number_in(const FieldValue& value) {
    if (const auto* integer = std::get_if<std::int64_t>(&value.data)) { return static_cast<double>(*integer); }
    if (const auto* real = std::get_if<double>(&value.data)) { return *real; }
    return std::nullopt;
}

std::optional<std::int64_t> integer_in(const FieldValue& value) {
    if (const auto* integer = std::get_if<std::int64_t>(&value.data)) { return *integer; }
    const auto* real = std::get_if<double>(&value.data);
    // Beyond 2^53 a double no longer tells neighbouring integers apart.
    if (real == nullptr || !(std::abs(*real) <= 0x1p53) || *real != std::floor(*real)) { return std::nullopt; }
    return static_cast<std::int64_t>(*real);
}

std::string SpecProblem::text() const {
    std::string line = place.text;
    if (!line.empty()) { line += ": "; }
    if (!key.empty()) { line += key + ": "; }
    return line + message;
}

void throw_if_any(const std::vector<SpecProblem>& problems) {
    if (problems.empty()) { return; }
    std::vector<std::string> lines;
    for (const SpecProblem& problem : problems) {
        std::string line = problem.text();
        if (std::find(lines.begin(), lines.end(), line) == lines.end()) { lines.push_back(std::move(line)); }
    }
    throw InputError{fmt::format("{}", fmt::join(lines, "\n"))};
}

}  // namespace loglog
