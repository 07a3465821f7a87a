#include "analysis/fit/optimum.hpp"

#include <gmock/gmock.h>

#include "analysis/fit/rounded.hpp"
#include "engine/base/error.hpp"
#include "tests/analysis/synthetic_runs.hpp"

namespace loglog {
namespace {

const Objective huber_log{Objective::Residual::log, Objective::Penalty::huber, 1e-3};

TEST(FindOptimum, RecoversTheTruthFromNoiselessRuns) {
    SyntheticRuns runs;
    runs.fill(5, 5, 0.0, Seed{1});
    const Points points = runs.points();
    const Law& law = find_law("chinchilla");

    const Optimum optimum = find_optimum(law, points, huber_log, 1);

    const Values natural = law.natural(optimum.best.coordinates, points.centre);
    // Losses carry relative rounding of 1e-16; the condition of the problem, below 1e6, may lift it to 1e-10.
    EXPECT_NEAR(natural[0], runs.floor, 1e-8);
    EXPECT_NEAR(natural[1] / runs.a, 1, 1e-8);
    EXPECT_NEAR(natural[2] / runs.b, 1, 1e-8);
    EXPECT_NEAR(natural[3], runs.alpha, 1e-9);
    EXPECT_NEAR(natural[4], runs.beta, 1e-9);
    EXPECT_GT(optimum.agreeing, optimum.starts / 2);
}

TEST(FindOptimum, RecoversEveryObjectiveFromNoiselessRuns) {
    SyntheticRuns runs;
    runs.fill(4, 4, 0.0, Seed{1});
    const Law& law = find_law("chinchilla");
    const Points points = runs.points();
    for (const char* name : {"huber-log", "l1-log", "ls-log", "huber-linear", "l1-linear", "ls-linear"}) {
        const Optimum optimum = find_optimum(law, points, parse_objective(name, 1e-3), 1);

        EXPECT_NEAR(law.natural(optimum.best.coordinates, points.centre)[3], runs.alpha, 1e-6) << name;
    }
}

TEST(FindOptimum, RecoversASaturatingLaw) {
    const Points points = saturating_points(1.2, 3e8, 0.25, 8);
    const Law& law = find_law("saturating");

    const Optimum optimum = find_optimum(law, points, huber_log, 2);

    const Values natural = law.natural(optimum.best.coordinates, points.centre);
    EXPECT_NEAR(natural[0], 1.2, 1e-8);
    EXPECT_NEAR(natural[1] / 3e8, 1, 1e-7);
    EXPECT_NEAR(natural[2], 0.25, 1e-8);
}

TEST(FindOptimum, PutsTheFloorAtItsBoundWhereThereIsNone) {
    // A line that bends down, not up: any floor makes it worse.
    std::vector<double> x, loss;
    for (int i = 0; i < 8; ++i) {
        x.push_back(1e5 * std::pow(4.0, i));
        loss.push_back(6.0 * std::exp(-0.1 * i - 0.005 * i * i));
    }
    const std::span<const double> columns[] = {x};

    const Optimum optimum = find_optimum(find_law("saturating"), make_points(columns, loss), huber_log, 1);

    EXPECT_EQ(optimum.best.coordinates[0], 0.0);
}

TEST(FindOptimum, IsTheLeastOfARandomCloudAroundIt) {
    SyntheticRuns runs;
    runs.fill(5, 5, 0.01, Seed{7});
    const Points points = runs.points();
    const Law& law = find_law("chinchilla");
    const Optimum optimum = find_optimum(law, points, huber_log, 1);
    const Random random{Seed{3}, Stream::search};

    for (std::uint64_t i = 0; i < 200; ++i) {
        Values near = optimum.best.coordinates;
        for (std::size_t k = 0; k < 5; ++k) { near[k] += 1e-4 * random.normal(5 * i + k); }
        EXPECT_GE(law.value(near, points, huber_log, 1e-3), optimum.best.value);
    }
}

TEST(FindOptimum, DoesNotDependOnTheNumberOfThreads) {
    SyntheticRuns runs;
    runs.fill(4, 5, 0.01, Seed{11});
    const Law& law = find_law("chinchilla");

    const Optimum one = find_optimum(law, runs.points(), huber_log, 1);
    const Optimum three = find_optimum(law, runs.points(), huber_log, 3);

    EXPECT_EQ(one.best.coordinates, three.best.coordinates);
    EXPECT_EQ(one.agreeing, three.agreeing);
}

TEST(FindOptimum, StopsWhereTheRunsLeaveAValleyOpenAndSaysSo) {
    // Losses that nothing of N and D explains: where they put the exponents is a long flat valley.
    const Random random{Seed{4}, Stream::synthetic_data};
    std::vector<double> n, d, loss;
    for (std::uint64_t i = 0; i < 100; ++i) {
        n.push_back(1e7 * std::pow(10, 2 * random.uniform(3 * i)));
        d.push_back(1e8 * std::pow(10, 3 * random.uniform(3 * i + 1)));
        loss.push_back(3 * std::exp(0.05 * random.normal(3 * i + 2)));
    }
    const std::span<const double> columns[] = {n, d};

    const Optimum optimum = find_optimum(find_law("chinchilla"), make_points(columns, loss), huber_log, 2);

    EXPECT_FALSE(optimum.best.converged);
    EXPECT_LT(optimum.best.iterations, 60);  // of the 120 allowed: five that gain next to nothing are enough
}

TEST(FindOptimum, RefusesFewerPointsThanParameters) {
    SyntheticRuns runs;
    runs.fill(2, 2, 0.0, Seed{1});
    try {
        find_optimum(find_law("chinchilla"), runs.points(), huber_log, 1);
        FAIL() << "fitted 5 parameters to 4 points";
    } catch (const InputError& error) {
        EXPECT_THAT(error.what(), ::testing::HasSubstr("5 parameters but only 4 points"));
    }
}

TEST(FindOptimum, RefusesOneSizeOnly) {
    SyntheticRuns runs;
    runs.fill(1, 8, 0.0, Seed{1});
    try {
        find_optimum(find_law("chinchilla"), runs.points(), huber_log, 1);
        FAIL() << "identified alpha from one size";
    } catch (const InputError& error) {
        EXPECT_THAT(error.what(), ::testing::HasSubstr("same N (" + twelve_digits(runs.n[0]) + ")"));
    }
    EXPECT_EQ(twelve_digits(999999999.999999), "1000000000");
}

}  // namespace
}  // namespace loglog
