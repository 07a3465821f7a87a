#include "experiments/spec/fields.hpp"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <cmath>
#include <map>
#include <type_traits>

#include "engine/base/error.hpp"
#include "engine/base/nearest_name.hpp"
#include "experiments/spec/enum_names.hpp"

namespace loglog {
namespace {

constexpr bool is_bounded(double limit) { return std::isfinite(limit); }

// ", at least 1", ", in [0, 1)", " above 0"
std::string range_text(const Range& range) {
    if (is_bounded(range.low) && is_bounded(range.high)) {
        return fmt::format(" in {}{}, {}{}", range.low_open ? '(' : '[', range.low, range.high,
                           range.high_open ? ')' : ']');
    }
    if (is_bounded(range.low)) { return fmt::format("{}{}", range.low_open ? " above " : ", at least ", range.low); }
    return {};
}

std::string mismatch(const FieldValue& value, const std::string& wanted) {
    return fmt::format("is {} but must be {}", to_text(value), wanted);
}

using Problem = std::optional<std::string>;

Problem store(std::string& field, const FieldValue& value, const Range&) {
    const auto* text = std::get_if<std::string>(&value.data);
    if (text == nullptr) { return mismatch(value, "a string"); }
    field = *text;
    return std::nullopt;
}

Problem store(bool& field, const FieldValue& value, const Range&) {
    const auto* flag = std::get_if<bool>(&value.data);
    if (flag == nullptr) { return mismatch(value, "true or false"); }
    field = *flag;
    return std::nullopt;
}

Problem store(std::int64_t& field, const FieldValue& value, const Range& range) {
    const auto integer = integer_in(value);
    if (!integer || !range.contains(static_cast<double>(*integer))) {
        return mismatch(value, "an integer" + range_text(range));
    }
    field = *integer;
    return std::nullopt;
}

Problem store(std::uint64_t& field, const FieldValue& value, const Range&) {
    const auto integer = integer_in(value);
    if (!integer || *integer < 0) { return mismatch(value, "an integer, at least 0"); }
    field = static_cast<std::uint64_t>(*integer);
    return std::nullopt;
}

Problem store(double& field, const FieldValue& value, const Range& range) {
    const auto number = number_in(value);
    if (!number || !std::isfinite(*number) || !range.contains(*number)) {
        return mismatch(value, "a number" + range_text(range));
    }
    field = *number;
    return std::nullopt;
}

template <std::size_t n>
Problem store(std::array<double, n>& field, const FieldValue& value, const Range& range) {
    const std::string wanted = fmt::format("a list of {} numbers{}", n, range_text(range));
    const auto* list = std::get_if<FieldValue::List>(&value.data);
    if (list == nullptr || list->size() != n) { return mismatch(value, wanted); }
    std::array<double, n> numbers{};
    for (std::size_t i = 0; i < n; ++i) {
        if (store(numbers[i], (*list)[i], range)) { return mismatch(value, wanted); }
    }
    field = numbers;
    return std::nullopt;
}

Problem store(std::vector<std::int64_t>& field, const FieldValue& value, const Range& range) {
    const std::string wanted = "a list of integers" + range_text(range);
    const auto* list = std::get_if<FieldValue::List>(&value.data);
    if (list == nullptr) { return mismatch(value, wanted); }
    std::vector<std::int64_t> numbers(list->size());
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        if (store(numbers[i], (*list)[i], range)) { return mismatch(value, wanted); }
    }
    field = std::move(numbers);
    return std::nullopt;
}

Problem store(std::vector<std::string>& field, const FieldValue& value, const Range&) {
    const auto* list = std::get_if<FieldValue::List>(&value.data);
    std::vector<std::string> texts;
    for (const FieldValue& element : list != nullptr ? *list : FieldValue::List{}) {
        const auto* text = std::get_if<std::string>(&element.data);
        if (text == nullptr) { return mismatch(value, "a list of strings"); }
        texts.push_back(*text);
    }
    if (list == nullptr) { return mismatch(value, "a list of strings"); }
    field = std::move(texts);
    return std::nullopt;
}

// People write zb_h1 for zb-h1, or 1F1B.
std::string spelling(std::string_view name) {
    std::string text{name};
    for (char& c : text) { c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }
    return text;
}

template <class Enum>
requires std::is_enum_v<Enum> Problem store(Enum& field, const FieldValue& value, const Range&) {
    const auto* text = std::get_if<std::string>(&value.data);
    std::vector<std::string> names;
    for (const auto& [enumerator, name] : EnumNames<Enum>::values) {
        if (text != nullptr && spelling(*text) == spelling(name)) {
            field = enumerator;
            return std::nullopt;
        }
        names.emplace_back(name);
    }
    return mismatch(value, alternatives<Enum>()) + (text == nullptr ? std::string{} : did_you_mean(*text, names));
}

FieldValue load(const std::string& field) { return {field}; }
FieldValue load(bool field) { return {field}; }
FieldValue load(std::int64_t field) { return {field}; }
FieldValue load(std::uint64_t field) { return {static_cast<std::int64_t>(field)}; }
FieldValue load(double field) { return {field}; }
template <std::size_t n>
FieldValue load(const std::array<double, n>& field) {
    FieldValue::List list;
    for (const double value : field) { list.push_back({value}); }
    return {list};
}
FieldValue load(const std::vector<std::int64_t>& field) {
    FieldValue::List list;
    for (const std::int64_t value : field) { list.push_back({value}); }
    return {list};
}
FieldValue load(const std::vector<std::string>& field) {
    FieldValue::List list;
    for (const std::string& value : field) { list.push_back({value}); }
    return {list};
}
template <class Enum>
requires std::is_enum_v<Enum> FieldValue load(Enum field) { return {name_of(field)}; }

std::string unknown_key(std::string_view key) {
    const std::string text{key};
    for (const std::string& known : field_keys()) {
        if (known.starts_with(text + ".")) { return fmt::format("must be a table, with '{}' and others in it", known); }
    }
    return "unknown key" + did_you_mean(text, field_keys());
}

}  // namespace

const std::vector<std::string>& field_keys() {
    static const std::vector<std::string> keys = [] {
        std::vector<std::string> list;
        visit_fields(RunSpec{}, [&](std::string_view key, const auto&, const Range&) { list.emplace_back(key); });
        return list;
    }();
    return keys;
}

std::optional<std::string> assign(RunSpec& spec, std::string_view key, const FieldValue& value, RangeCheck check) {
    bool known = false;
    Problem problem;
    visit_fields(spec, [&](std::string_view name, auto& field, const Range& range) {
        if (name != key) { return; }
        known = true;
        problem = store(field, value, check == RangeCheck::yes ? range : any);
    });
    return known ? problem : unknown_key(key);
}

FieldValue value_of(const RunSpec& spec, std::string_view key) {
    std::optional<FieldValue> found;
    visit_fields(spec, [&](std::string_view name, const auto& field, const Range&) {
        if (name == key) { found = load(field); }
    });
    if (!found) { throw InputError{fmt::format("{}: {}", key, unknown_key(key))}; }
    return *found;
}

RunSpec spec_from(const std::vector<Assignment>& assignments, std::vector<SpecProblem>& problems) {
    RunSpec spec;
    std::map<std::string, SourcePlace> given;
    const std::size_t problems_before = problems.size();
    for (const Assignment& assignment : assignments) {
        if (auto problem = assign(spec, assignment.key, assignment.value)) {
            problems.push_back({assignment.place, assignment.key, std::move(*problem)});
        }
        given[assignment.key] = assignment.place;
    }
    if (!given.contains("model.qkv_bias")) { spec.model.qkv_bias = spec.model.bias; }
    // A value that was refused is still the default: judging its combinations would report what nobody wrote.
    if (problems.size() > problems_before) { return spec; }

    for (SpecProblem& problem : check(spec)) {
        if (const auto place = given.find(problem.key); place != given.end()) { problem.place = place->second; }
        problems.push_back(std::move(problem));
    }
    return spec;
}

}  // namespace loglog
