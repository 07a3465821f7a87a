#include "analysis/bootstrap/draws.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr std::array<std::pair<std::string_view, BootstrapKind>, 3> kinds{{{"cases", BootstrapKind::cases},
                                                                           {"residuals", BootstrapKind::residuals},
                                                                           {"parametric", BootstrapKind::parametric}}};

std::vector<std::vector<std::size_t>> members_of(const Points& points) {
    std::vector<std::vector<std::size_t>> members;
    for (std::size_t i = 0; i < points.size(); ++i) {
        const std::size_t unit = points.group.empty() ? i : points.group[i];
        if (unit >= members.size()) { members.resize(unit + 1); }
        members[unit].push_back(i);
    }
    return members;
}

double middle(std::vector<double> values, Objective::Penalty penalty) {
    if (penalty != Objective::Penalty::squares) {
        const auto half = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
        std::nth_element(values.begin(), half, values.end());
        return *half;
    }
    double sum = 0;
    for (const double value : values) { sum += value; }
    return sum / static_cast<double>(values.size());
}

}  // namespace

BootstrapKind parse_bootstrap_kind(std::string_view text) {
    for (const auto& [name, kind] : kinds) {
        if (name == text) { return kind; }
    }
    throw InputError{"--bootstrap-kind '" + std::string{text} + "' must be cases, residuals or parametric"};
}

const char* to_text(BootstrapKind kind) noexcept {
    for (const auto& [name, known] : kinds) {
        if (known == kind) { return name.data(); }
    }
    return "cases";
}

Resampler::Resampler(const Law& law, const Points& points, const Objective& objective, const Values& coordinates,
                     BootstrapKind kind, Seed seed)
    : points_{points},
      kind_{kind},
      seed_{seed},
      residual_{objective.residual},
      parameters_{free_parameters(law)},
      members_{members_of(points)} {
    if (kind_ == BootstrapKind::cases) { return; }
    if (!points.group.empty()) {
        throw InputError{std::string{"--bootstrap-kind "} + to_text(kind_) +
                         " draws the noise of every point by itself, but the points of a group share theirs: use "
                         "--bootstrap-kind cases, or --group none if the points are independent after all"};
    }
    noise_ = noise_of(law, points, objective, coordinates);
    if (noise_.degrees < 1) {
        throw InputError{"--bootstrap-kind " + std::string{to_text(kind_)} + ": " + std::to_string(points.size()) +
                         " points leave no residuals beside " + std::to_string(parameters_) + " parameters"};
    }
    const double centre = middle(noise_.residuals, objective.penalty);
    const double inflation = std::sqrt(static_cast<double>(points.size()) / noise_.degrees);
    for (double& r : noise_.residuals) { r = inflation * (r - centre); }
    for (const auto& row : points.ln_x) { ln_predicted_.push_back(law.log_loss(coordinates, row)); }
}

bool Resampler::draw(Points& resampled, int resample) const {
    const Random random{seed_, Stream::resampling, static_cast<std::uint64_t>(resample)};
    if (kind_ != BootstrapKind::cases) { return draw_losses(resampled, random); }
    draw_cases(resampled, random);
    return identifies(resampled);
}

void Resampler::draw_cases(Points& resampled, const Random& random) const {
    std::fill(resampled.weight.begin(), resampled.weight.end(), 0.0);
    for (std::size_t i = 0; i < units(); ++i) {
        for (const std::size_t point : members_[random.below(i, units())]) {
            resampled.weight[point] += points_.weight[point];
        }
    }
}

bool Resampler::draw_losses(Points& resampled, const Random& random) const {
    for (std::size_t i = 0; i < points_.size(); ++i) {
        const double noise = kind_ == BootstrapKind::parametric
                                 ? noise_.scale * random.normal(i)
                                 : noise_.residuals[static_cast<std::size_t>(random.below(i, points_.size()))];
        const double residual = noise / std::sqrt(points_.weight[i]);
        resampled.loss[i] = residual_ == Objective::Residual::log ? std::exp(ln_predicted_[i] + residual)
                                                                  : std::exp(ln_predicted_[i]) + residual;
        if (!(resampled.loss[i] > 0) || !std::isfinite(resampled.loss[i])) { return false; }
        resampled.ln_loss[i] = std::log(resampled.loss[i]);
    }
    return true;
}

bool Resampler::leave_out(Points& rest, std::size_t unit) const {
    rest = points_;
    for (const std::size_t point : members_[unit]) { rest.weight[point] = 0; }
    return identifies(rest);
}

/// As many distinct points as parameters, and two values of every variable.
bool Resampler::identifies(const Points& resampled) const {
    std::size_t distinct = 0;
    std::array<double, max_variables> low{};
    std::array<double, max_variables> high{};
    for (std::size_t i = 0; i < resampled.size(); ++i) {
        if (resampled.weight[i] == 0) { continue; }
        if (distinct == 0) { low = high = resampled.ln_x[i]; }
        ++distinct;
        for (std::size_t k = 0; k < resampled.variables; ++k) {
            low[k] = std::min(low[k], resampled.ln_x[i][k]);
            high[k] = std::max(high[k], resampled.ln_x[i][k]);
        }
    }
    for (std::size_t k = 0; k < resampled.variables; ++k) {
        if (high[k] - low[k] < 1e-9) { return false; }
    }
    return distinct >= parameters_;
}

}  // namespace loglog
