#include "analysis/inference/profile.hpp"

#include <gmock/gmock.h>

#include <boost/math/distributions/students_t.hpp>

#include "analysis/inference/covariance.hpp"
#include "tests/analysis/synthetic_runs.hpp"

namespace loglog {
namespace {

const Objective huber_log{Objective::Residual::log, Objective::Penalty::huber, 1e-3};
const Objective squares{Objective::Residual::log, Objective::Penalty::squares};

struct Line {
    Points points;
    double slope_error;  ///< standard error of alpha by the textbook
};

/// ln L = alpha (ln Xc - ln X) with normal noise.
Line noisy_line(const Law& law) {
    const Points points = saturating_points(0, 1e12, 0.1, 30, 0.01, Seed{12});
    const Optimum optimum = find_optimum(law, points, squares, 1);
    double spread = 0;
    for (const auto& row : points.ln_x) { spread += row[0] * row[0]; }
    const double variance = 2 * optimum.best.value / (static_cast<double>(points.size()) - 2);
    return {points, std::sqrt(variance / spread)};
}

TEST(Profile, OfAStraightLineIsStudentsInterval) {
    const Law& law = find_law("power");
    const Line line = noisy_line(law);
    const Optimum optimum = find_optimum(law, line.points, squares, 1);

    const Profiles profiles = profile_intervals(law, line.points, squares, optimum, 0.95, 1);

    const double alpha = law.natural(optimum.best.coordinates, line.points.centre)[1];
    const double t = boost::math::quantile(boost::math::students_t{28.0}, 0.975);
    ASSERT_EQ(profiles.intervals.size(), 2u);
    EXPECT_EQ(profiles.intervals[1].name, "alpha");
    // The rise is quadratic, so only the search's own tolerance of 1e-4 of the half width remains.
    EXPECT_NEAR(profiles.intervals[1].low, alpha - t * line.slope_error, 2e-4 * t * line.slope_error);
    EXPECT_NEAR(profiles.intervals[1].high, alpha + t * line.slope_error, 2e-4 * t * line.slope_error);
    EXPECT_EQ(profiles.intervals[1].open, OpenSide::none);
    EXPECT_FALSE(profiles.found_lower);
}

TEST(Profile, GrowsWithItsLevel) {
    const Law& law = find_law("power");
    const Line line = noisy_line(law);
    const Optimum optimum = find_optimum(law, line.points, squares, 1);

    const auto wide = profile_intervals(law, line.points, squares, optimum, 0.99, 1).intervals[1];
    const auto narrow = profile_intervals(law, line.points, squares, optimum, 0.8, 1).intervals[1];

    const boost::math::students_t student{28.0};
    const double expected = boost::math::quantile(student, 0.995) / boost::math::quantile(student, 0.9);
    EXPECT_NEAR((wide.high - wide.low) / (narrow.high - narrow.low), expected, 1e-3 * expected);
}

TEST(Profile, OfAFloorThatTheDataDoNotShowReachesZero) {
    const Law& law = find_law("saturating");
    const Points points = saturating_points(0.0, 1e12, 0.08, 8, 0.01, Seed{3});
    for (const Objective& objective : {squares, huber_log}) {
        const Optimum optimum = find_optimum(law, points, objective, 1);

        const auto floor = profile_intervals(law, points, objective, optimum, 0.95, 1).intervals[0];

        EXPECT_EQ(floor.name, "E");
        EXPECT_EQ(floor.open, OpenSide::low) << to_string(objective);
        EXPECT_EQ(floor.low, 0.0);
        EXPECT_TRUE(std::isfinite(floor.high));
    }
}

TEST(Profile, HoldsTheTruthOfAFloorThatIsThere) {
    const Law& law = find_law("saturating");
    const Points points = saturating_points(1.2, 3e8, 0.25, 12, 0.003, Seed{4});
    const Optimum optimum = find_optimum(law, points, squares, 1);

    const auto floor = profile_intervals(law, points, squares, optimum, 0.999, 1).intervals[0];

    EXPECT_EQ(floor.open, OpenSide::none);
    EXPECT_LT(floor.low, 1.2);
    EXPECT_GT(floor.high, 1.2);
}

TEST(Profile, SaysNothingOfDataWithoutNoise) {
    const Law& law = find_law("saturating");
    const Points points = saturating_points(1.2, 3e8, 0.25, 3);
    const Optimum optimum = find_optimum(law, points, squares, 1);

    EXPECT_TRUE(profile_intervals(law, points, squares, optimum, 0.95, 1).intervals.empty());
}

TEST(Profile, DoesNotDependOnTheNumberOfThreads) {
    SyntheticRuns runs;
    runs.fill(5, 5, 0.005, Seed{9});
    const Law& law = find_law("chinchilla");
    const Optimum optimum = find_optimum(law, runs.points(), huber_log, 1);

    const auto one = profile_intervals(law, runs.points(), huber_log, optimum, 0.95, 1);
    const auto three = profile_intervals(law, runs.points(), huber_log, optimum, 0.95, 3);

    for (std::size_t k = 0; k < one.intervals.size(); ++k) {
        EXPECT_EQ(one.intervals[k].low, three.intervals[k].low);
        EXPECT_EQ(one.intervals[k].high, three.intervals[k].high);
    }
}

TEST(Covariance, OfAStraightLineIsTheTextbooks) {
    const Law& law = find_law("power");
    const Line line = noisy_line(law);
    const Optimum optimum = find_optimum(law, line.points, squares, 1);

    const auto covariance = parameter_covariance(law, line.points, squares, optimum, {});

    EXPECT_THAT(covariance.names, ::testing::ElementsAre("ln Xc", "alpha"));
    EXPECT_NEAR(std::sqrt(covariance.asymptotic[1][1]) / line.slope_error, 1, 1e-9);
    EXPECT_TRUE(covariance.bootstrap.empty());
}

TEST(Covariance, ShowsTheRidgeBetweenAmplitudeAndExponent) {
    SyntheticRuns runs;
    runs.fill(6, 6, 0.003, Seed{9});
    const Law& law = find_law("chinchilla");
    const Optimum optimum = find_optimum(law, runs.points(), squares, 1);

    const Covariances r = correlation(parameter_covariance(law, runs.points(), squares, optimum, {}).asymptotic);

    EXPECT_GT(r[1][3], 0.95);  // ln A and alpha: N^-alpha far from ln N = 0
    EXPECT_GT(r[2][4], 0.95);
    for (std::size_t k = 0; k < 5; ++k) { EXPECT_NEAR(r[k][k], 1, 1e-12); }
}

TEST(Covariance, OfCopiesCountedAsRunsIsThatOfTheRuns) {
    // Every run five times over: alone they seem five times as certain, grouped they are what one copy of each gives.
    const Law& law = find_law("power");
    const Line line = noisy_line(law);
    std::vector<double> x, loss;
    std::vector<std::size_t> group;
    for (std::size_t i = 0; i < line.points.size(); ++i) {
        for (int copy = 0; copy < 5; ++copy) {
            x.push_back(line.points.x(i, 0));
            loss.push_back(line.points.loss[i]);
            group.push_back(i);
        }
    }
    const std::span<const double> columns[] = {x};
    Points copies = make_points(columns, loss);
    const Optimum optimum = find_optimum(law, copies, squares, 1);

    const double alone = std::sqrt(parameter_covariance(law, copies, squares, optimum, {}).asymptotic[1][1]);
    copies.group = group;
    const double grouped = std::sqrt(parameter_covariance(law, copies, squares, optimum, {}).asymptotic[1][1]);
    const Resamples resamples = bootstrap(law, copies, squares, optimum, {1000, Seed{3}, 2});

    EXPECT_LT(alone, 0.5 * line.slope_error);
    // The middle of the sandwich rests on 30 squares: relative error sqrt(2/30)/2 of a root, three times that.
    EXPECT_NEAR(grouped / line.slope_error, 1, 0.4);
    std::vector<double> alpha;
    for (const Values& natural : resamples.natural) { alpha.push_back(natural[1]); }
    EXPECT_EQ(resamples.units, 30u);
    EXPECT_NEAR(summarise(0.1, alpha).se / grouped, 1, 0.15);
}

}  // namespace
}  // namespace loglog
