#include "analysis/inference/onset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <string>

#include "analysis/fit/rounded.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr double same_value = 1e-6;         // of ln X: values that are one size everywhere in analysis
constexpr std::size_t forecasts = 2;        // so many of the largest X are predicted
constexpr double same_score = 1e-9 * 1e-9;  // losses are not known better than this, so neither are their forecasts

using Positions = std::vector<std::size_t>;

/// The points of each distinct X, ascending.
std::vector<Positions> by_value(const Points& points) {
    Positions order(points.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t left, std::size_t right) { return points.ln_x[left] < points.ln_x[right]; });
    std::vector<Positions> values;
    for (const std::size_t i : order) {
        if (values.empty() || points.ln_x[i][0] - points.ln_x[values.back().front()][0] > same_value) {
            values.emplace_back();
        }
        values.back().push_back(i);
    }
    return values;
}

/// The points of values[begin] ... values[end - 1] as a set of their own, measured from their own middle.
Points part(const Points& points, const std::vector<Positions>& values, std::size_t begin, std::size_t end) {
    std::vector<double> x;
    std::vector<double> loss;
    std::vector<double> weight;
    for (std::size_t value = begin; value < end; ++value) {
        for (const std::size_t i : values[value]) {
            x.push_back(points.x(i, 0));
            loss.push_back(points.loss[i]);
            weight.push_back(points.weight[i]);
        }
    }
    const std::span<const double> columns[] = {x};
    Points set = make_points(columns, loss);
    set.weight = std::move(weight);
    return set;
}

/// Mean squared error of ln loss at `held` by a fit to `fitted` alone.
double forecast_error(const Law& law, const Points& points, const Points& fitted, const Positions& held,
                      const Objective& objective, int threads) {
    const Optimum optimum = find_optimum(law, fitted, objective, threads);
    double squares = 0;
    double weights = 0;
    for (const std::size_t i : held) {
        const double row[] = {points.ln_x[i][0] + points.centre[0] - fitted.centre[0]};
        const double error = law.log_loss(optimum.best.coordinates, row) - points.ln_loss[i];
        squares += points.weight[i] * error * error;
        weights += points.weight[i];
    }
    return squares / weights;
}

}  // namespace

OnsetRule parse_onset(const std::string& text) {
    if (text.empty()) { return {}; }
    if (text == "auto") { return {OnsetRule::Kind::automatic, 0}; }
    double from = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), from);
    if (error != std::errc{} || end != text.data() + text.size() || !(from > 0) || !std::isfinite(from)) {
        throw InputError{"--onset '" + text +
                         "' must be auto or a positive number: the X from which on points are fitted"};
    }
    return {OnsetRule::Kind::given, from};
}

Onset choose_onset(const Law& law, const Points& points, const Objective& objective, const std::string& variable,
                   int threads) {
    const auto values = by_value(points);
    const std::size_t shortest = free_parameters(law) + 1;
    const std::size_t wanted = shortest + forecasts + 1;
    if (values.size() < wanted) {
        throw InputError{fmt::format(
            "--onset auto: at least {} distinct values of {} are wanted (the law '{}' fitted to {} of them, with one "
            "to leave out before and {} to forecast after), found {}: give the onset as a number, or leave --onset out",
            wanted, variable, law.name(), shortest, forecasts, values.size())};
    }
    Onset onset{OnsetRule::Kind::automatic, variable, 0, 0, {}};
    for (std::size_t k = 0; k + shortest + forecasts <= values.size(); ++k) {
        double score = 0;
        for (std::size_t held = values.size() - forecasts; held < values.size(); ++held) {
            score += forecast_error(law, points, part(points, values, k, held), values[held], objective, threads) /
                     static_cast<double>(forecasts);
        }
        onset.candidates.push_back({k, rounded(points.x(values[k].front(), 0)), score});
    }
    double lowest = onset.candidates.front().score;
    for (const OnsetCandidate& one : onset.candidates) { lowest = std::min(lowest, one.score); }
    const auto winner = std::find_if(onset.candidates.begin(), onset.candidates.end(),
                                     [&](const OnsetCandidate& one) { return one.score <= lowest + same_score; });
    onset.from = winner->from;
    onset.left_out = winner->left_out;
    return onset;
}

Onset find_onset(const OnsetRule& rule, const Law& law, const Points& points, const Objective& objective,
                 const std::string& variable, int threads) {
    if (rule.kind == OnsetRule::Kind::automatic) { return choose_onset(law, points, objective, variable, threads); }
    const auto values = by_value(points);
    const double ln_from = std::log(rule.from) - points.centre[0] - same_value;
    Onset onset{OnsetRule::Kind::given, variable, rule.from, 0, {}};
    for (const Positions& value : values) { onset.left_out += points.ln_x[value.front()][0] < ln_from ? 1 : 0; }
    if (onset.left_out == values.size()) {
        throw InputError{fmt::format("--onset {:g} leaves no point to fit: the largest {} is {:g}", rule.from, variable,
                                     points.x(values.back().front(), 0))};
    }
    return onset;
}

Points without_largest(const Points& points, std::size_t count, const std::string& variable) {
    const auto values = by_value(points);
    if (count >= values.size()) {
        throw InputError{
            fmt::format("--hold-out: {} of {} distinct values of {} cannot be held out: at least one must remain",
                        count, values.size(), variable)};
    }
    return part(points, values, 0, values.size() - count);
}

std::vector<char> reaches_onset(const Dataset& data, std::size_t column, double from) {
    std::vector<char> reaches;
    const auto columns = positive_columns(data, {column});
    for (const double x : columns[0]) { reaches.push_back(std::log(x) >= std::log(from) - same_value ? 1 : 0); }
    return reaches;
}

}  // namespace loglog
