#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "analysis/inference/checks.hpp"

namespace loglog {
namespace {

constexpr double loss_of_guessing = 13.815510557964274;  // nats: one of a million tokens, more than vocabularies hold
constexpr double widest_gap = 1e3;                       // between neighbouring sizes of one study
constexpr double smallest_size = 1e3;                    // parameters, or tokens
constexpr double certain_ones = 1e6;                     // a larger value was not given in millions
constexpr std::size_t most_named = 5;

void check_losses(const Inference& fit, std::vector<Warning>& found) {
    if (fit.law->measured() != "loss") { return; }
    std::size_t above = 0;
    double largest = 0;
    for (const double loss : fit.points.loss) {
        largest = std::max(largest, loss);
        if (loss > loss_of_guessing) { ++above; }
    }
    if (above > 0) {
        found.push_back(
            {"implausible_loss",
             fmt::format("{} of {} losses, up to {:.4g}, exceed {:.1f} nats, what guessing one of a million "
                         "tokens costs: perplexities? Nats per token are wanted: take their logarithm",
                         above, fit.points.size(), largest, loss_of_guessing)});
    }
}

/// A slip of units (millions among ones) leaves a gap that no ladder of sizes has, or values that no run has.
void check_units(const Inference& fit, std::vector<Warning>& found) {
    for (std::size_t variable = 0; variable < fit.points.variables; ++variable) {
        const std::string name = variable_name(fit, variable);
        if (name != "N" && name != "D" && name != "C") { continue; }
        std::set<double> values;
        for (std::size_t i = 0; i < fit.points.size(); ++i) { values.insert(fit.points.x(i, variable)); }
        bool has_gap = false;
        for (auto above = std::next(values.begin()); above != values.end(); ++above) {
            const double below = *std::prev(above);
            if (*above > widest_gap * below) {
                has_gap = true;
                found.push_back(
                    {"mixed_units",
                     fmt::format("no value of {0} lies between {1:.4g} and {2:.4g}, a factor of {3}: are some "
                                 "given in millions or billions and others in ones?",
                                 name, below, *above, ratio_text(*above / below))});
            }
        }
        if (!has_gap && name != "C" && *values.begin() < smallest_size && *values.rbegin() > certain_ones) {
            found.push_back({"mixed_units",
                             fmt::format("{} goes from {:.4g}, too few for a model or a run, to {:.4g}: are some given "
                                         "in millions or billions and others in ones?",
                                         name, *values.begin(), *values.rbegin())});
        }
        if (*values.rbegin() < smallest_size && name != "C") {
            found.push_back(
                {"implausible_size",
                 fmt::format("the largest {} is {:.4g}: given in millions or billions? Scales (A, B, Xc) and "
                             "predictions for a budget in FLOPs want ones",
                             name, *values.rbegin())});
        }
    }
}

/// Equal variables and equal losses to the last digit: one run twice.
void check_duplicates(const Inference& fit, std::vector<Warning>& found) {
    std::map<std::array<double, max_variables + 1>, std::size_t> first;
    std::string names;
    std::size_t count = 0;
    for (std::size_t i = 0; i < fit.points.size(); ++i) {
        std::array<double, max_variables + 1> key{};
        std::copy(fit.points.ln_x[i].begin(), fit.points.ln_x[i].end(), key.begin());
        key.back() = fit.points.loss[i];
        const auto [place, is_new] = first.try_emplace(key, i);
        if (is_new) { continue; }
        if (++count <= most_named) {
            names += (count == 1 ? "" : ", ") + name_of(fit.ids, i) + " like " + name_of(fit.ids, place->second);
        }
    }
    if (count > 0) {
        found.push_back({"duplicated_rows",
                         fmt::format("{} of {} points repeat another one exactly ({}{}): they count twice and make the "
                                     "intervals too narrow",
                                     count, fit.points.size(), names, count > most_named ? ", ..." : "")});
    }
}

}  // namespace

void check_plausibility(const Inference& fit, std::vector<Warning>& found) {
    check_losses(fit, found);
    check_units(fit, found);
    check_duplicates(fit, found);
}

}  // namespace loglog
