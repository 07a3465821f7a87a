#include "bench/analysis/coverage.hpp"

#include <array>
#include <cmath>

#include "analysis/bootstrap/bootstrap.hpp"
#include "analysis/fit/parallel.hpp"
#include "analysis/inference/profile.hpp"

namespace loglog {
namespace {

constexpr std::array<IntervalKind, 3> kinds{IntervalKind::percentile, IntervalKind::expanded, IntervalKind::bca};
constexpr std::array<std::size_t, 2> exponents{3, 4};  // positions of alpha and beta

struct Interval {
    double low = 0;
    double high = 10;
};

/// [kind, the profile last][alpha, beta]
using Intervals = std::array<std::array<Interval, exponents.size()>, kinds.size() + 1>;

std::vector<double> column(const std::vector<Values>& fits, std::size_t parameter) {
    std::vector<double> values;
    for (const Values& natural : fits) { values.push_back(natural[parameter]); }
    return values;
}

Intervals intervals_of(const CoverageCase& one, int set, int resamples, const Values& start) {
    const Law& law = find_law("chinchilla");
    const Points points = design_points(one.design, one.noise, static_cast<std::uint64_t>(set) + 1);
    Optimum optimum;
    optimum.best = polish(law, points, one.objective, start);  // the truth is close to the optimum
    const Values natural = law.natural(optimum.best.coordinates, points.centre);
    const Seed seed{static_cast<std::uint64_t>(set)};
    Resamples refits = bootstrap(law, points, one.objective, optimum,
                                 {resamples, seed, 1, BootstrapKind::cases, IntervalKind::bca, one.level});
    const Profiles profiles = profile_intervals(law, points, one.objective, optimum, one.level, 1);
    Intervals found;
    for (std::size_t e = 0; e < exponents.size(); ++e) {
        const std::size_t k = exponents[e];
        for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
            refits.interval = kinds[kind];
            const Estimate estimate =
                refits.estimate(natural[k], column(refits.natural, k), column(refits.left_out, k));
            found[kind][e] = {estimate.low, estimate.high};
        }
        const ProfileInterval& profile = profiles.intervals[k];
        if (std::isfinite(profile.low)) { found.back()[e].low = profile.low; }
        if (std::isfinite(profile.high)) { found.back()[e].high = profile.high; }
    }
    return found;
}

}  // namespace

std::vector<KindCoverage> coverage_of(const CoverageCase& one, int sets, int resamples, int threads) {
    const Law& law = find_law("chinchilla");
    const Points noiseless = design_points(one.design, 0, 0);
    const Values start = find_optimum(law, noiseless, one.objective, threads).best.coordinates;
    std::vector<Intervals> found(static_cast<std::size_t>(sets));
    parallel_for(sets, threads,
                 [&](int set) { found[static_cast<std::size_t>(set)] = intervals_of(one, set, resamples, start); });
    std::vector<KindCoverage> coverage;
    for (std::size_t kind = 0; kind <= kinds.size(); ++kind) {
        std::array<Coverage, exponents.size()> of{};
        for (const Intervals& intervals : found) {
            for (std::size_t e = 0; e < exponents.size(); ++e) {
                const Interval& interval = intervals[kind][e];
                const double truth = design_truth[exponents[e]];
                of[e].held += (interval.low <= truth && truth <= interval.high ? 1.0 : 0.0) / sets;
                of[e].width += (interval.high - interval.low) / sets;
            }
        }
        coverage.push_back({kind < kinds.size() ? to_text(kinds[kind]) : "profile", of[0], of[1]});
    }
    return coverage;
}

}  // namespace loglog
