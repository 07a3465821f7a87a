#include "analysis/laws/objective.hpp"

#include <array>
#include <limits>
#include <utility>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

using enum Objective::Residual;
using enum Objective::Penalty;

constexpr std::array<std::pair<std::string_view, std::pair<Objective::Residual, Objective::Penalty>>, 6> names{{
    {"huber-log", {log, huber}},
    {"l1-log", {log, absolute}},
    {"ls-log", {log, squares}},
    {"huber-linear", {linear, huber}},
    {"l1-linear", {linear, absolute}},
    {"ls-linear", {linear, squares}},
}};

}  // namespace

double Objective::threshold(double smoothing) const noexcept {
    switch (penalty) {
        case Penalty::huber:
            return delta;
        case Penalty::squares:
            return std::numeric_limits<double>::infinity();
        case Penalty::absolute:
            return smoothing;
    }
    return delta;
}

Objective parse_objective(std::string_view name, double delta) {
    if (!(delta > 0) || !std::isfinite(delta)) {
        throw InputError{"objective: delta is " + std::to_string(delta) + " but must be a positive number"};
    }
    std::string known;
    for (const auto& [known_name, parts] : names) {
        if (known_name == name) { return {parts.first, parts.second, delta}; }
        known += (known.empty() ? "" : ", ") + std::string{known_name};
    }
    throw InputError{"objective '" + std::string{name} + "' is not known; it must be one of " + known};
}

std::string to_string(const Objective& objective) {
    for (const auto& [name, parts] : names) {
        if (parts.first == objective.residual && parts.second == objective.penalty) { return std::string{name}; }
    }
    return "huber-log";
}

}  // namespace loglog
