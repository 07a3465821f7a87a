#include "analysis/inference/resampling_units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/inference/random_effect.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr std::size_t few_degrees = 5;  // the standard error of sigma is a third of it and more

using Mapping = std::map<std::string, std::string>;

/// The row of the data that each point was made of.
std::vector<std::size_t> rows_of(const Dataset& data, const std::vector<std::string>& ids) {
    std::map<std::string, std::size_t> row_of;
    for (std::size_t row = 0; row < data.row_names.size(); ++row) { row_of.emplace(data.row_names[row], row); }
    std::vector<std::size_t> rows;
    for (const auto& id : ids) { rows.push_back(row_of.at(id)); }
    return rows;
}

/// Numbers 0, 1, ... by first appearance; keys that are empty are each by themselves.
std::vector<std::size_t> numbered(const std::vector<std::string>& keys) {
    std::map<std::string, std::size_t> known;
    std::vector<std::size_t> numbers;
    std::size_t next = 0;
    for (const auto& key : keys) {
        const auto found = key.empty() ? known.end() : known.find(key);
        if (found != known.end()) {
            numbers.push_back(found->second);
            continue;
        }
        if (!key.empty()) { known.emplace(key, next); }
        numbers.push_back(next++);
    }
    return numbers;
}

std::size_t count_of(const std::vector<std::size_t>& group) {
    return group.empty() ? 0 : *std::max_element(group.begin(), group.end()) + 1;
}

std::vector<std::string> cells(const Dataset& data, const std::vector<std::size_t>& rows, std::size_t column) {
    std::vector<std::string> texts;
    for (const std::size_t row : rows) { texts.push_back(data.rows[row][column]); }
    return texts;
}

/// Values of a variable within 1e-6 of each other are one size.
std::string place_key(const Points& points, std::size_t point, std::size_t variables) {
    std::string key;
    for (std::size_t k = 0; k < variables; ++k) {
        key += fmt::format("{};", std::llround((points.ln_x[point][k] + points.centre[k]) * 1e6));
    }
    return key;
}

std::vector<std::size_t> groups_of(const Points& points, InferenceOptions& options, const Dataset& data,
                                   const std::vector<std::size_t>& rows, const Mapping& mapping,
                                   const std::string& asked) {
    if (asked == "none") { return {}; }
    if (asked == "size") {
        std::vector<std::string> keys;
        for (std::size_t i = 0; i < points.size(); ++i) { keys.push_back(place_key(points, i, 1)); }
        return numbered(keys);
    }
    if (!asked.empty()) { return numbered(cells(data, rows, find_column(data, asked, mapping))); }
    if (!mapping.contains("run") && !has_column(data, "run", mapping)) { return {}; }

    const auto by_run = numbered(cells(data, rows, find_column(data, "run", mapping)));
    if (count_of(by_run) == points.size()) { return {}; }
    options.warnings.push_back(
        {"repeated_run",
         fmt::format("{} points come from {} runs: points of one run are not independent, so whole runs "
                     "are resampled (--group run; --group none takes every point by itself)",
                     points.size(), count_of(by_run))});
    return by_run;
}

void take_weights(Points& points, const Dataset& data, const std::vector<std::size_t>& rows, const Mapping& mapping) {
    if (!mapping.contains("weight")) { return; }
    const auto column = find_column(data, "weight", mapping);
    const auto weights = positive_columns(data, {column})[0];
    double sum = 0;
    for (const std::size_t row : rows) { sum += weights[row]; }
    for (std::size_t i = 0; i < rows.size(); ++i) {
        points.weight[i] = weights[rows[i]] * static_cast<double>(rows.size()) / sum;
    }
}

/// The place (and group) that each point is at.
std::vector<std::size_t> places_of(const Points& points) {
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < points.size(); ++i) {
        keys.push_back(place_key(points, i, points.variables) +
                       (points.group.empty() ? "" : fmt::format("group {}", points.group[i])));
    }
    return numbered(keys);
}

double measured(const Points& points, std::size_t point, Objective::Residual residual) {
    return residual == Objective::Residual::log ? points.ln_loss[point] : points.loss[point];
}

/// One point for each place (and group).
AveragedRows average(Points& points, InferenceOptions& options) {
    const auto cell = places_of(points);
    const std::size_t count = count_of(cell);
    const auto residual = options.objective.residual;
    Points averaged;
    averaged.variables = points.variables;
    averaged.centre = points.centre;
    averaged.ln_x.resize(count);
    averaged.weight.assign(count, 0);
    if (!points.group.empty()) { averaged.group.resize(count); }
    std::vector<double> mean(count, 0);
    std::vector<std::string> ids(options.ids.empty() ? 0 : count);
    for (std::size_t i = 0; i < points.size(); ++i) {
        const std::size_t to = cell[i];
        averaged.ln_x[to] = points.ln_x[i];
        mean[to] += points.weight[i] * measured(points, i, residual);
        averaged.weight[to] += points.weight[i];
        if (!points.group.empty()) { averaged.group[to] = points.group[i]; }
        if (!ids.empty()) { ids[to] += (ids[to].empty() ? "" : " + ") + options.ids[i]; }
    }
    AveragedRows rows{averaged.weight, 0, points.size() - count};
    for (std::size_t to = 0; to < count; ++to) {
        mean[to] /= averaged.weight[to];
        averaged.loss.push_back(residual == Objective::Residual::log ? std::exp(mean[to]) : mean[to]);
        averaged.ln_loss.push_back(std::log(averaged.loss[to]));
        averaged.weight[to] *= static_cast<double>(count) / static_cast<double>(points.size());
    }
    for (std::size_t i = 0; i < points.size(); ++i) {
        const double deviation = measured(points, i, residual) - mean[cell[i]];
        rows.squares += points.weight[i] * deviation * deviation;
    }
    points = std::move(averaged);
    options.ids = std::move(ids);
    return rows;
}

SeedEffects pooled(const AveragedRows& rows, Objective::Residual residual) {
    SeedEffects found{Repeats::average, rows.count.size(), rows.degrees, residual};
    if (rows.degrees > 0) { found.sigma = std::sqrt(rows.squares / static_cast<double>(rows.degrees)); }
    return found;
}

void warn_of(const SeedEffects& seeds, std::vector<Warning>& warnings) {
    if (seeds.degrees < few_degrees) {
        warnings.push_back({"few_repeats", fmt::format("the seeds' noise rests on {} repeated rows alone, and with it "
                                                       "how much each configuration counts",
                                                       seeds.degrees)});
    }
    if (!seeds.is_settled) {
        warnings.push_back({"seeds_unsettled",
                            "the deviation that runs of a configuration share still changed after 20 rounds of fitting "
                            "and weighing"});
    }
}

}  // namespace

const char* to_text(Repeats repeats) noexcept {
    switch (repeats) {
        case Repeats::each:
            return "each";
        case Repeats::average:
            return "average";
        case Repeats::random_effect:
            return "random-effect";
    }
    return "each";
}

Repeats parse_repeats(std::string_view text) {
    if (text == "each") { return Repeats::each; }
    for (const Repeats repeats : {Repeats::each, Repeats::average, Repeats::random_effect}) {
        if (text == to_text(repeats)) { return repeats; }
    }
    throw InputError{"--seeds '" + std::string{text} + "' must be each, average or random-effect"};
}

void assign_units(Points& points, InferenceOptions& options, const Dataset& data, const Mapping& mapping,
                  const UnitOptions& units, const Law& law) {
    const auto rows = rows_of(data, options.ids);
    take_weights(points, data, rows, mapping);
    points.group = groups_of(points, options, data, rows, mapping, units.group);
    if (count_of(points.group) == 1) {
        throw InputError{"--group: all " + std::to_string(points.size()) +
                         " points are of one group: nothing can be said of how groups differ"};
    }
    if (units.repeats == Repeats::each) { return; }
    const auto residual = options.objective.residual;
    const AveragedRows averaged = average(points, options);
    if (units.repeats == Repeats::average) {
        options.seeds = pooled(averaged, residual);
    } else {
        options.seeds = weigh_by_random_effect(law, points, residual, averaged);
        warn_of(*options.seeds, options.warnings);
    }
}

}  // namespace loglog
