#include "analysis/inference/intervals_text.hpp"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace loglog {
namespace {

constexpr double nearly_one = 0.95;  // |correlation| worth a line

std::string end(double value) { return std::isfinite(value) ? fmt::format("{:.5g}", value) : "open"; }

void append_profiles(std::string& text, const Inference& fit) {
    if (fit.profiles.intervals.empty()) { return; }
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "\n  {:<22}{:>38}{:>12}\n", "profile likelihood",
                   fmt::format("{:g}% from", 100 * fit.resamples.level), "to");
    for (const auto& interval : fit.profiles.intervals) {
        const char* side = to_text(interval.open);
        fmt::format_to(out, "  {:<22}{:>38}{:>12}{}\n", interval.name, end(interval.low), end(interval.high),
                       *side == '\0' ? "" : fmt::format("  ({} side open)", side));
    }
}

void append_ridges(std::string& text, const Inference& fit) {
    const Covariances table = correlation(fit.covariance.asymptotic);
    std::string pairs;
    for (std::size_t j = 0; j < table.size(); ++j) {
        for (std::size_t k = 0; k < j; ++k) {
            if (!(std::abs(table[j][k]) > nearly_one)) { continue; }
            pairs += fmt::format("{}{} and {} ({:+.3f})", pairs.empty() ? "" : ", ", fit.covariance.names[k],
                                 fit.covariance.names[j], table[j][k]);
        }
    }
    if (!pairs.empty()) { fmt::format_to(std::back_inserter(text), "\nhardly told apart (correlation): {}\n", pairs); }
}

void append_seeds(std::string& text, const SeedEffects& seeds) {
    const auto out = std::back_inserter(text);
    const char* unit = seeds.residual == Objective::Residual::log ? "of ln loss" : "nats";
    fmt::format_to(out, "\nseeds: {} of {} configurations", to_text(seeds.kind), seeds.groups);
    if (std::isfinite(seeds.sigma)) {
        fmt::format_to(out, "; their runs differ by sigma = {:.3g} {}", seeds.sigma, unit);
    }
    if (std::isfinite(seeds.tau)) {
        fmt::format_to(out, ", configurations from the law by tau = {:.3g} besides", seeds.tau);
    }
    text += '\n';
}

}  // namespace

std::string intervals_text(const Inference& fit) {
    std::string text;
    if (fit.resamples.requested > 0) {
        fmt::format_to(std::back_inserter(text), "\nintervals: {} of {} refits, {} resampled over {} {}\n",
                       to_text(fit.resamples.interval), fit.resamples.natural.size(), to_text(fit.resamples.kind),
                       fit.resamples.units, fit.points.group.empty() ? "points" : "groups of points");
    }
    if (fit.seeds) { append_seeds(text, *fit.seeds); }
    append_profiles(text, fit);
    append_ridges(text, fit);
    return text;
}

}  // namespace loglog
