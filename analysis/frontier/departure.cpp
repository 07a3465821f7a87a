#include "analysis/frontier/departure.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

struct Place {
    double n;
    double d;
    double loss;
};

double named(const std::vector<NamedValue>& values, std::string_view name) {
    for (const auto& one : values) {
        if (one.name == name) { return one.value; }
    }
    return std::numeric_limits<double>::quiet_NaN();
}

Place optimum(const Law& law, const Values& natural, double budget) {
    const auto values = law.predict(natural, budget);
    return {named(values, "N"), named(values, "D"), named(values, "loss")};
}

double loss_at(const Law& law, const Values& natural, double n, double d) {
    const std::array<double, 2> x{n, d};
    return predict_at(law, natural, x);
}

/// ln of the factor at which the falling function `loss(ln factor)` comes down to `target`; infinite where it does not
/// within e^60, which is beyond any training.
template <class Loss>
double ln_factor_reaching(const Loss& loss, double target) {
    double from = -60;
    double to = 60;
    if (loss(to) > target) { return std::numeric_limits<double>::infinity(); }
    while (to - from > 1e-12) {
        const double middle = (from + to) / 2;
        if (middle == from || middle == to) { break; }
        (loss(middle) > target ? from : to) = middle;
    }
    return (from + to) / 2;
}

}  // namespace

const char* to_text(Departure::Kind kind) noexcept {
    return kind == Departure::Kind::size ? "size" : "tokens_per_parameter";
}

bool has_frontier(const Law& law) {
    const auto variables = law.variables();
    if (variables.size() != 2 || variables[0] != "N" || variables[1] != "D" || law.measured() != "loss") {
        return false;
    }
    Values ones{};
    ones.fill(1.0);
    const auto values = law.predict(ones, 1e18);
    for (const char* name : {"N", "D", "loss"}) {
        if (std::isnan(named(values, name))) { return false; }
    }
    return true;
}

void require_frontier(const Law& law) {
    if (has_frontier(law)) { return; }
    throw InputError{"--off-optimal and --over-train are for laws of N and D such as chinchilla and kaplan; '" +
                     std::string{law.name()} + "' has no compute-optimal line"};
}

std::vector<NamedValue> cost(const Law& law, const Values& natural, double budget, const Departure& departure) {
    const Place best = optimum(law, natural, budget);
    const bool by_size = departure.kind == Departure::Kind::size;
    const double n = best.n * (by_size ? departure.factor : 1 / std::sqrt(departure.factor));
    const double d = best.n * best.d / n;
    const double loss = loss_at(law, natural, n, d);
    // From (n, d) on: D alone grows, or N and D together.
    const double growth = ln_factor_reaching(
        [&](double ln_factor) {
            const double factor = std::exp(ln_factor);
            return loss_at(law, natural, by_size ? n : n * factor, d * factor);
        },
        best.loss);
    const double n_same = by_size ? n : n * std::exp(growth);
    const double d_same = d * std::exp(growth);
    return {{"C", budget},
            {"N", n},
            {"D", d},
            {"loss", loss},
            {"excess_loss", loss - best.loss},
            {"N_same_loss", n_same},
            {"D_same_loss", d_same},
            {"compute_ratio", n_same * d_same / (best.n * best.d)},
            {"size_ratio", n_same / best.n}};
}

}  // namespace loglog
