#include <gmock/gmock.h>

#include <cmath>

#include "analysis/fit/parallel.hpp"
#include "analysis/isoflop/isoflop.hpp"
#include "tests/analysis/laws_folder.hpp"

// Published iso-FLOP sweeps and what was found in them, kept outside the repository: $LOGLOG_LAWS, or
// ../shared/data/laws beside the sources. Values and tolerances as in expected.json there.

namespace loglog {
namespace {

/// Porian et al. 2024, arXiv:2406.19146, fig. 1 and 4: exponent of N* and its 95% interval.
struct Published {
    const char* config;
    double a, low, high;
};
constexpr Published porian[] = {
    {"rw/base/long/kaplan/kaplan/train", 0.8353, 0.8235, 0.846},
    {"rw/base/long/kaplan/standard/val", 0.70647, 0.6915, 0.7169},
    {"rw/base/short/kaplan/standard/val", 0.60204, 0.5914, 0.6173},
    {"rw/base/short/chinchilla/standard/val", 0.57149, 0.5598, 0.5885},
    {"rw/tuned/short/const/standard/val", 0.4969, 0.4907, 0.5045},
    {"rw/tuned/long/const/kaplan/train", 0.71149, 0.7026, 0.7214},
    {"rw/base/long/kaplan/attention/train", 0.71706, 0.7029, 0.7273},
    {"rw/base/short/kaplan/attention/train", 0.62225, 0.6072, 0.632},
    {"rw/base/short/chinchilla/attention/train", 0.57719, 0.562, 0.5925},
    {"rw/tuned/short/const/attention/train", 0.50527, 0.4962, 0.5123},
};

class PublishedIsoflop : public ::testing::Test {
  protected:
    void SetUp() override {
        if (!testing::laws_folder()) {
            GTEST_SKIP() << "no published data: set LOGLOG_LAWS to the folder that holds them";
        }
    }

    static Dataset rows(const std::string& file, const std::string& where = {}) {
        const Dataset all = read_csv(*testing::laws_folder() / file);
        return where.empty() ? all : filter(all, where);
    }
    static std::string of(const char* config) { return std::string{"config = '"} + config + "'"; }
    static IsoflopQuestion question(Interpolation interpolation, int draws) {
        IsoflopQuestion q;
        q.interpolation = interpolation;
        q.inference.bootstrap.resamples = draws;
        q.inference.bootstrap.threads = default_threads();
        return q;
    }
    static double value(const OptimaFit& fit, std::size_t parameter) {
        return fit.parameters[parameter].estimate.value;
    }
};

std::vector<std::string> codes(const OptimaFit& fit) {
    std::vector<std::string> list;
    for (const Warning& warning : fit.warnings) { list.push_back(warning.code); }
    return list;
}

TEST_F(PublishedIsoflop, OptimaOfPorianGiveTheirExponents) {
    for (const Published& published : porian) {
        const Dataset optima = rows("porian_rw_optima.csv", of(published.config));
        ASSERT_TRUE(has_ready_optima(optima, {}));

        const OptimaFit fit = fit_ready_optima(optima, question(Interpolation::akima, 0));

        EXPECT_NEAR(value(fit, 0), published.a, 1e-5) << published.config;
    }
}

TEST_F(PublishedIsoflop, RunsOfPorianGiveTheirExponentsAndIntervalsByAkimaInterpolation) {
    for (const Published& published : porian) {
        const OptimaFit fit =
            fit_isoflop(rows("porian_rw_isoflop.csv", of(published.config)), question(Interpolation::akima, 500));

        EXPECT_NEAR(value(fit, 0), published.a, 0.003) << published.config;
        // The ends of a 95% interval scatter with their draws by about a tenth of its length.
        const Estimate& a = fit.parameters[0].estimate;
        const double length = published.high - published.low;
        EXPECT_NEAR(a.low, published.low, 0.15 * length) << published.config;
        EXPECT_NEAR(a.high, published.high, 0.15 * length) << published.config;
        EXPECT_THAT(codes(fit), ::testing::Contains("noise_assumed"));
    }
}

TEST_F(PublishedIsoflop, OptimaFromRunsAreThePublishedOnes) {
    const char* config = "rw/tuned/short/const/standard/val";
    const OptimaFit found = fit_isoflop(rows("porian_rw_isoflop.csv", of(config)), question(Interpolation::akima, 500));
    const OptimaFit published =
        fit_ready_optima(rows("porian_rw_optima.csv", of(config)), question(Interpolation::akima, 0));

    std::size_t compared = 0;
    for (const auto& own : found.optima.budgets) {
        for (const auto& theirs : published.optima.budgets) {
            if (!own.used || std::abs(own.compute / theirs.compute - 1) > 1e-6) { continue; }
            // Their search grid has a step of some 3% in N, and their draws differ from ours.
            EXPECT_NEAR(own.n.value / theirs.n.value, 1, 0.03) << own.compute;
            EXPECT_NEAR(own.ln_n_error / theirs.ln_n_error, 1, 0.1) << own.compute;
            EXPECT_NEAR(own.loss.value / theirs.loss.value, 1, 1e-3) << own.compute;
            ++compared;
        }
    }
    EXPECT_EQ(compared, published.optima.budgets.size());
}

TEST_F(PublishedIsoflop, EqualWeightsGiveThePublishedUnweightedExponents) {
    auto equal = question(Interpolation::akima, 0);
    equal.weights = BudgetWeights::equal;

    const auto a_of = [&](const char* config) {
        return value(fit_ready_optima(rows("porian_rw_optima.csv", of(config)), equal), 0);
    };

    EXPECT_NEAR(a_of("rw/tuned/short/const/standard/val"), 0.49703, 1e-5);
    EXPECT_NEAR(a_of("rw/base/short/chinchilla/standard/val"), 0.57142, 1e-5);
}

TEST_F(PublishedIsoflop, OptimumLossOfPorianSaturates) {
    auto squares = question(Interpolation::akima, 0);
    squares.inference.objective = parse_objective("ls-log", 1e-3);

    const OptimaFit fit =
        fit_ready_optima(rows("porian_rw_optima.csv", of("rw/tuned/short/const/standard/val")), squares);

    ASSERT_TRUE(fit.loss);
    EXPECT_NEAR(2 * fit.loss->value, 5.02106e-6, 1e-10);  // half the sum of squares
    EXPECT_NEAR(fit.loss->parameters[0].estimate.value, 1.63308, 1e-4);
    EXPECT_NEAR(fit.loss->parameters[1].estimate.value / 1.7458e21, 1, 1e-3);
    EXPECT_NEAR(fit.loss->parameters[2].estimate.value, 0.0901049, 1e-5);
}

TEST_F(PublishedIsoflop, ParabolasThroughHoffmannsRunsWithoutOutliers) {
    const OptimaFit fit =
        fit_isoflop(rows("chinchilla_isoflop9.csv", "outlier = 0"), question(Interpolation::parabola, 200));

    ASSERT_EQ(fit.optima.budgets.size(), 7u);
    EXPECT_NEAR(value(fit, 0), 0.54142, 1e-5);
    EXPECT_NEAR(value(fit, 1), 0.45858, 1e-5);
    EXPECT_NEAR(fit.derived[0].estimate.value, 0.013328, 1e-6);
    const double optima[] = {168840000, 281310000, 490970000, 705280000, 1792100000, 2255400000, 2914500000};
    for (std::size_t b = 0; b < 7; ++b) { EXPECT_NEAR(fit.optima.budgets[b].n.value / optima[b], 1, 2e-5) << b; }
}

TEST_F(PublishedIsoflop, OneOfHoffmannsBudgetsHasItsParabolaOutsideTheSizes) {
    auto parabola = question(Interpolation::parabola, 200);
    const Dataset all = rows("chinchilla_isoflop9.csv");

    const OptimaFit honest = fit_isoflop(all, parabola);
    parabola.edge = EdgeOptima::keep;
    const OptimaFit published = fit_isoflop(all, parabola);

    EXPECT_NEAR(value(published, 0), 0.49507, 1e-5);  // the published number uses all nine
    EXPECT_NEAR(value(published, 1), 0.50493, 1e-5);
    EXPECT_THAT(codes(published), ::testing::Contains("optimum_at_edge"));
    ASSERT_EQ(honest.optima.budgets.size(), 9u);
    EXPECT_NEAR(honest.optima.budgets[4].compute, 1e20, 1e10);
    EXPECT_FALSE(honest.optima.budgets[4].used);
    EXPECT_TRUE(honest.optima.budgets[4].at_edge);
    EXPECT_NEAR(value(honest, 0), 0.49199, 1e-5);
    EXPECT_THAT(codes(honest), ::testing::Contains("optimum_at_edge"));
}

TEST_F(PublishedIsoflop, WideParabolasMissTheTrueOptimumByAStatedShare) {
    auto asked = question(Interpolation::parabola, 0);
    asked.inference.budgets = {1e22};
    const Dataset clean = rows("synth_isoflop_clean.csv");

    const OptimaFit wide = fit_isoflop(clean, asked);
    asked.central_points = 3;
    const OptimaFit narrow = fit_isoflop(clean, asked);

    const auto n_at = [](const OptimaFit& fit) { return fit.predictions[0][1].estimate.value; };
    EXPECT_NEAR(value(wide, 0), 0.451613, 1e-6);
    EXPECT_NEAR(n_at(wide) / 5.2841e9, 1, 1e-4);
    EXPECT_NEAR(value(narrow, 0), 0.451613, 1e-5);
    EXPECT_NEAR(n_at(narrow) / 5.1708e9, 1, 1e-4);
    // What is said of the bias is the bias: the true optimum at 1e22 is 5.1605e9.
    ASSERT_TRUE(wide.surface && narrow.surface);
    EXPECT_NEAR(wide.surface->bias_n_predictions[0], 5.2841e9 / 5.1605e9 - 1, 2e-4);
    EXPECT_NEAR(narrow.surface->bias_n_predictions[0], 5.1708e9 / 5.1605e9 - 1, 2e-4);
    EXPECT_NEAR(wide.surface->a, 0.451613, 1e-4);
    EXPECT_THAT(codes(wide), ::testing::Contains("interpolation_bias"));
    EXPECT_THAT(codes(narrow), ::testing::Not(::testing::Contains("interpolation_bias")));
}

}  // namespace
}  // namespace loglog
