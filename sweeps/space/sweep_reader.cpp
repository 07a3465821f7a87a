#include "sweeps/space/sweep_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/base/nearest_name.hpp"
#include "experiments/run/machine.hpp"
#include "experiments/spec/fields.hpp"

namespace loglog::detail {
namespace {

const std::vector<std::string> sweep_keys{"sweep.name",        "sweep.kind",       "sweep.aspect",
                                          "sweep.budgets",     "sweep.seeds",      "sweep.tokens_per_parameter",
                                          "sweep.rank_memory", "sweep.attentions", "sweep.widths",
                                          "sweep.budget",      "sweep.lr_factors", "sweep.adds_to"};
constexpr std::array all_kinds{SweepKind::grid, SweepKind::isoflop, SweepKind::ladder, SweepKind::attention};

std::vector<std::string> known_keys() {
    std::vector<std::string> keys = sweep_keys;
    keys.emplace_back("train.seeds");
    keys.insert(keys.end(), field_keys().begin(), field_keys().end());
    return keys;
}

// "model.width, model.layers" -> the two keys
std::vector<std::string> split_keys(const std::string& text) {
    std::vector<std::string> keys(1);
    for (const char c : text) {
        if (c == ',') {
            keys.emplace_back();
        } else if (c != ' ') {
            keys.back() += c;
        }
    }
    return keys;
}

}  // namespace

bool read_positive_numbers(const FieldValue& value, std::vector<double>& numbers) {
    const auto* list = std::get_if<FieldValue::List>(&value.data);
    std::vector<double> read;
    for (const FieldValue& element : list != nullptr ? *list : FieldValue::List{value}) {
        const auto number = number_in(element);
        if (!number || !std::isfinite(*number) || *number <= 0) { return false; }
        read.push_back(*number);
    }
    if (read.empty()) { return false; }
    numbers = std::move(read);
    return true;
}

namespace {

// Powers computed in floating point: 64 * 1.5^2 is meant to be 144 exactly.
FieldValue tidy(double value) {
    const double near = std::round(value);
    if (std::abs(value - near) < 1e-9 * std::max(1.0, std::abs(value)) && std::abs(near) < 0x1p53) {
        return {static_cast<std::int64_t>(near)};
    }
    return {value};
}

bool is_filename(const std::string& name) {
    return !name.empty() && name.front() != '.' && std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
    });
}

}  // namespace

void SweepReader::problem(const Assignment& assignment, std::string message) {
    problems_.push_back({assignment.place, assignment.key, std::move(message)});
}

void SweepReader::read(const Assignment& assignment) {
    const std::string& key = assignment.key;
    if (key == "sweep.seeds" || key == "train.seeds") {
        read_seeds(assignment);
    } else if (key.starts_with("sweep.")) {
        read_sweep_key(assignment, key);
    } else if (key.starts_with("vary.")) {
        if (!read_range_part(assignment, key.substr(5))) { read_axis(assignment, key.substr(5)); }
    } else {
        spec_.base.push_back(assignment);
    }
}

void SweepReader::read_sweep_key(const Assignment& assignment, const std::string& key) {
    given_[key] = assignment;
    const FieldValue& value = assignment.value;
    const auto* text = std::get_if<std::string>(&value.data);
    if (key == "sweep.name") {
        if (text == nullptr || !is_filename(*text)) {
            problem(assignment,
                    fmt::format("is {} but must be a name of letters, digits, '-', '_' and '.'", to_text(value)));
        } else {
            spec_.name = *text;
        }
    } else if (key == "sweep.kind") {
        std::vector<std::string> names;
        for (const SweepKind kind : all_kinds) {
            names.push_back(to_string(kind));
            if (text != nullptr && *text == names.back()) {
                spec_.kind = kind;
                return;
            }
        }
        problem(assignment, fmt::format("is {} but must be grid, isoflop, ladder or attention{}", to_text(value),
                                        did_you_mean(text != nullptr ? *text : "", names)));
    } else if (key == "sweep.aspect") {
        std::vector<double> numbers;
        if (number_in(value) && read_positive_numbers(value, numbers)) {
            spec_.aspect = numbers[0];
        } else {
            problem(assignment, fmt::format("is {} but must be a number above 0 (width / layers)", to_text(value)));
        }
    } else if (key == "sweep.rank_memory") {
        const auto bytes = bytes_in(value);
        if (!bytes) {
            problem(assignment, fmt::format("is {} but must be a number of bytes, such as \"2 GiB\"", to_text(value)));
        }
        spec_.rank_memory = bytes.value_or(0);
    } else if (key == "sweep.adds_to") {
        if (text == nullptr || text->empty()) {
            problem(assignment, fmt::format("is {} but must be an SQL expression over the registry's runs, such as "
                                            "\"sweep = 'first'\"",
                                            to_text(value)));
        } else {
            spec_.adds_to = *text;
        }
    } else if (key == "sweep.budgets" || key == "sweep.tokens_per_parameter") {
        auto& numbers = key == "sweep.budgets" ? spec_.budgets : spec_.tokens_per_parameter;
        if (!read_positive_numbers(value, numbers)) {
            problem(assignment, fmt::format("is {} but must be a list of numbers above 0", to_text(value)));
        }
    } else if (key == "sweep.attentions" || key == "sweep.widths" || key == "sweep.budget" ||
               key == "sweep.lr_factors") {
        read_attention_key(assignment, key);
    } else {
        problem(assignment, "unknown key" + did_you_mean(key, known_keys()));
    }
}

void SweepReader::read_seeds(const Assignment& assignment) {
    for (const char* other : {"sweep.seeds", "train.seeds"}) {
        if (other != assignment.key && given_.contains(other)) {
            problem(assignment,
                    fmt::format("seeds are given twice: here and as {} at {}", other, given_[other].place.text));
        }
    }
    given_[assignment.key] = assignment;
    const auto* list = std::get_if<FieldValue::List>(&assignment.value.data);
    std::vector<std::int64_t> seeds;
    bool valid = list != nullptr && !list->empty();
    for (const FieldValue& element : list != nullptr ? *list : FieldValue::List{}) {
        const auto seed = integer_in(element);
        valid = valid && seed && *seed >= 0;
        if (seed) { seeds.push_back(*seed); }
    }
    if (valid) {
        spec_.seeds = std::move(seeds);
    } else {
        problem(assignment, fmt::format("is {} but must be a list of integers, at least 0", to_text(assignment.value)));
    }
}

Axis* SweepReader::axis_of(const std::string& key) {
    for (Axis& axis : spec_.vary) {
        if (std::find(axis.keys.begin(), axis.keys.end(), key) != axis.keys.end()) { return &axis; }
    }
    return nullptr;
}

void SweepReader::read_axis(const Assignment& assignment, const std::string& text) {
    Axis axis{split_keys(text), {}, assignment.place};
    const auto* list = std::get_if<FieldValue::List>(&assignment.value.data);
    if (list == nullptr || list->empty()) {
        return problem(assignment,
                       fmt::format("is {} but must be a list of values, or a range such as {{ from = 32, to = "
                                   "512, factor = 2 }}",
                                   to_text(assignment.value)));
    }
    for (const FieldValue& value : *list) {
        const auto* row = std::get_if<FieldValue::List>(&value.data);
        if (axis.keys.size() == 1) {
            axis.points.push_back({value});
        } else if (row != nullptr && row->size() == axis.keys.size()) {
            axis.points.push_back(*row);
        } else {
            return problem(assignment, fmt::format("has {} but must have a list of {} values, one for each of its keys",
                                                   to_text(value), axis.keys.size()));
        }
    }
    // An override replaces what the file says.
    if (Axis* same = axis_of(axis.keys.front());
        same != nullptr && same->keys == axis.keys && assignment.place.text.starts_with("--set")) {
        *same = std::move(axis);
        return;
    }
    for (const std::string& key : axis.keys) {
        if (const Axis* other = axis_of(key);
            other != nullptr || std::count(axis.keys.begin(), axis.keys.end(), key) > 1) {
            return problem(assignment, fmt::format("'{}' varies twice{}", key,
                                                   other != nullptr ? ": here and at " + other->place.text : ""));
        }
    }
    spec_.vary.push_back(std::move(axis));
}

bool SweepReader::read_range_part(const Assignment& assignment, const std::string& key) {
    const auto dot = key.rfind('.');
    if (dot == std::string::npos) { return false; }
    const std::string part = key.substr(dot + 1);
    if (part != "from" && part != "to" && part != "factor" && part != "step") { return false; }
    Range& range = ranges_.try_emplace(key.substr(0, dot), Range{assignment, {}}).first->second;
    const auto number = number_in(assignment.value);
    if (!number || !std::isfinite(*number)) {
        problem(assignment, fmt::format("is {} but must be a number", to_text(assignment.value)));
    }
    range.parts[part] = number.value_or(0);
    return true;
}

void SweepReader::finish_ranges() {
    constexpr std::size_t most_values = 10'000;
    for (const auto& [key, range] : ranges_) {
        const auto& parts = range.parts;
        const Assignment named{"vary." + key, {}, range.first.place};
        const bool geometric = parts.contains("factor");
        const bool valid = parts.contains("from") && parts.contains("to") && geometric != parts.contains("step") &&
                           parts.at("from") <= parts.at("to") &&
                           (geometric ? parts.at("factor") > 1 && parts.at("from") > 0 : parts.at("step") > 0);
        if (!valid) {
            problem(named,
                    "a range is { from, to, factor } with factor > 1 and from > 0, or { from, to, step } with step > "
                    "0; from may not exceed to");
            continue;
        }
        FieldValue::List values;
        const double last = parts.at("to") * (1 + 1e-9);
        for (std::size_t i = 0; i < most_values; ++i) {
            const auto steps = static_cast<double>(i);
            const double value = geometric ? parts.at("from") * std::pow(parts.at("factor"), steps)
                                           : parts.at("from") + parts.at("step") * steps;
            if (value > last) { break; }
            values.push_back(tidy(value));
        }
        read_axis({named.key, {values}, named.place}, key);
    }
}

void SweepReader::check_kind() {
    const auto expects = [&](const char* key, SweepKind kind, bool wanted) {
        const auto given = given_.find(key);
        if (spec_.kind == kind && wanted && given == given_.end()) {
            problems_.push_back({given_.contains("sweep.kind") ? given_["sweep.kind"].place : SourcePlace{}, key,
                                 fmt::format("is missing: a sweep of kind {} needs it", to_string(kind))});
        } else if (spec_.kind != kind && given != given_.end()) {
            problem(given->second, fmt::format("only means something with sweep.kind = \"{}\"", to_string(kind)));
        }
    };
    expects("sweep.budgets", SweepKind::isoflop, true);
    if (spec_.kind != SweepKind::attention) { expects("sweep.tokens_per_parameter", SweepKind::ladder, true); }
    expects("sweep.attentions", SweepKind::attention, true);
    expects("sweep.widths", SweepKind::attention, true);
    expects("sweep.budget", SweepKind::attention, false);
    expects("sweep.lr_factors", SweepKind::attention, false);
    if (spec_.kind == SweepKind::attention) { check_comparison(); }
    if (!given_.contains("sweep.name")) { problems_.push_back({{}, "sweep.name", "is missing: a sweep needs a name"}); }
}

void SweepReader::check_axes() {
    for (const Axis& axis : spec_.vary) {
        for (std::size_t k = 0; k < axis.keys.size(); ++k) {
            const std::string& key = axis.keys[k];
            if (key == "train.tokens" && spec_.kind != SweepKind::grid) {
                problems_.push_back(
                    {axis.place, key, fmt::format("tokens follow from the sweep's kind, {}", to_string(spec_.kind))});
            }
            if (key == "train.seed") { problems_.push_back({axis.place, key, "seeds vary by 'train.seeds = [...]'"}); }
            RunSpec scratch;
            for (const auto& point : axis.points) {
                if (auto message = assign(scratch, key, point[k])) {
                    problems_.push_back({axis.place, "vary." + key, std::move(*message)});
                }
            }
        }
    }
}

void SweepReader::check_run_keys() {
    RunSpec scratch;
    for (const Assignment& assignment : spec_.base) {
        if (auto message = assign(scratch, assignment.key, assignment.value)) {
            const bool known =
                std::find(field_keys().begin(), field_keys().end(), assignment.key) != field_keys().end();
            if (!known && message->starts_with("unknown key")) {
                *message = "unknown key" + did_you_mean(assignment.key, known_keys());
            }
            problem(assignment, std::move(*message));
        }
        const Axis* axis = axis_of(assignment.key);
        if (axis != nullptr && assignment.place.text.starts_with("--set")) {
            problem(assignment, fmt::format("varies in this sweep (at {}); override 'vary.{}' instead",
                                            axis->place.text, assignment.key));
        }
        if (assignment.key == "train.seed" && given_.contains("train.seeds")) {
            problem(assignment, "is given and so is train.seeds: give one of the two");
        }
    }
}

SweepSpec SweepReader::finish() {
    finish_ranges();
    check_kind();
    check_axes();
    check_run_keys();
    for (const Assignment& assignment : spec_.base) {
        if (assignment.key != "train.seed" || given_.contains("sweep.seeds")) { continue; }
        if (const auto seed = integer_in(assignment.value)) { spec_.seeds = {*seed}; }
    }
    return std::move(spec_);
}

}  // namespace loglog::detail
