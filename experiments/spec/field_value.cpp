#include "experiments/spec/field_value.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>
#include <utility>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

struct ValueText {
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::int64_t value) const { return fmt::format("{}", value); }
    std::string operator()(double value) const { return fmt::format("{}", value); }
    std::string operator()(const std::string& value) const { return fmt::format("\"{}\"", value); }
    std::string operator()(const FieldValue::List& list) const {
        std::vector<std::string> parts;
        for (const FieldValue& value : list) { parts.push_back(to_text(value)); }
        return fmt::format("[{}]", fmt::join(parts, ", "));
    }
};

// Insertions, deletions, substitutions and swaps of neighbours ("optimal string alignment"), three rows at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last;
    std::vector<std::size_t> last(b.size() + 1);
    std::iota(last.begin(), last.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::vector<std::size_t> row(b.size() + 1, i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
            const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) { row[j] = std::min(row[j], before_last[j - 2] + 1); }
        }
        before_last = std::exchange(last, std::move(row));
    }
    return last.back();
}

std::string_view last_part(std::string_view key) {
    const auto dot = key.rfind('.');
    return dot == std::string_view::npos ? key : key.substr(dot + 1);
}

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

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
    const std::string_view word_end = last_part(word);
    const std::string* best = nullptr;
    std::size_t best_distance = 0;
    for (const std::string& candidate : candidates) {
        // Half a point for a wrong table, so that "model.tokens" prefers "train.tokens" to "model.heads".
        const std::size_t by_end = 2 * edit_distance(word_end, last_part(candidate)) + 1;
        const std::size_t distance = std::min(2 * edit_distance(word, candidate), by_end);
        if (best == nullptr || distance < best_distance) {
            best = &candidate;
            best_distance = distance;
        }
    }
    const std::size_t limit = 2 * std::max<std::size_t>(1, (word_end.size() + 1) / 3) + 1;
    return best != nullptr && best_distance <= limit ? *best : std::string{};
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates) {
    const std::string near = nearest(word, candidates);
    return near.empty() ? std::string{} : fmt::format(" (did you mean '{}'?)", near);
}

}  // namespace loglog
