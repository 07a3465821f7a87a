#include "analysis/isoflop/isoflop.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "analysis/isoflop/akima.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

/// Losses of E + A/N^alpha + B/D^beta on iso-FLOP grids of nine sizes, a factor `step` apart, whose middle is
/// off the true optimum by a factor exp(offset(C)).
struct Sweep {
    double floor = 1.69, a = 406.4, b = 410.7, alpha = 0.34, beta = 0.28;
    double step = 1.6;
    int sizes = 9;
    double noise = 0;

    double best_size(double c) const {
        const double sum = alpha + beta;
        return std::pow(alpha * a / (beta * b), 1 / sum) * std::pow(c / 6, beta / sum);
    }
    template <class Offset>
    Dataset rows(const std::vector<double>& budgets, const Offset& offset) const {
        const Random random{Seed{5}, Stream::synthetic_data};
        std::string text = "C,N,D,loss\n";
        std::uint64_t index = 0;
        for (const double c : budgets) {
            for (int i = 0; i < sizes; ++i) {
                const double n = best_size(c) * std::exp(offset(c)) * std::pow(step, i - (sizes - 1) / 2);
                const double d = c / (6 * n);
                const double loss = floor + a * std::pow(n, -alpha) + b * std::pow(d, -beta);
                text += fmt::format("{},{},{},{}\n", c, n, d, loss + noise * random.normal(index++));
            }
        }
        std::istringstream in{text};
        return read_csv(in, "sweep.csv");
    }
};

const std::vector<double> budgets{1e18, 4e18, 1.6e19, 6.4e19, 2.56e20};
constexpr auto centred = [](double) { return 0.0; };

IsoflopQuestion question(Interpolation interpolation = Interpolation::parabola, int draws = 0) {
    IsoflopQuestion q;
    q.interpolation = interpolation;
    q.inference.bootstrap.resamples = draws;
    return q;
}

std::vector<std::string> codes(const OptimaFit& fit) {
    std::vector<std::string> list;
    for (const Warning& warning : fit.warnings) { list.push_back(warning.code); }
    return list;
}

TEST(Akima, PassesThroughThePointsAndFollowsAParabolaExactly) {
    const std::vector<double> x{0, 1, 2.5, 3, 4.5, 6};
    std::vector<double> y;
    for (const double at : x) { y.push_back(2 - at + 0.5 * at * at); }
    std::vector<double> even_x{0, 1, 2, 3, 4};
    std::vector<double> even_y;
    for (const double at : even_x) { even_y.push_back(2 - at + 0.5 * at * at); }

    const Akima curve{x, y};
    const Akima even{even_x, even_y};

    for (std::size_t i = 0; i < x.size(); ++i) { EXPECT_NEAR(curve(x[i]), y[i], 1e-14); }
    // On even points Akima's slopes of a parabola are its own (Akima 1970, sec. 2.1).
    for (const double at : {0.3, 1.7, 2.5, 3.9}) { EXPECT_NEAR(even(at), 2 - at + 0.5 * at * at, 1e-14); }
}

TEST(Akima, AFlatStretchBesideAStepStaysFlat) {
    const Akima curve{{0, 1, 2, 3, 4, 5}, {0, 0, 0, 1, 1, 1}};

    EXPECT_EQ(curve(0.5), 0);
    EXPECT_EQ(curve(1.5), 0);
    EXPECT_NEAR(curve(2.5), 0.5, 1e-15);
    EXPECT_EQ(curve(4.5), 1);
}

TEST(Isoflop, NarrowGridsCentredOnTheOptimumGiveTheTrueLaw) {
    Sweep sweep;
    sweep.step = 1.05;

    for (const auto interpolation : {Interpolation::parabola, Interpolation::parabola_log}) {
        const OptimaFit fit = fit_isoflop(sweep.rows(budgets, centred), question(interpolation));

        EXPECT_NEAR(fit.parameters[0].estimate.value, sweep.beta / (sweep.alpha + sweep.beta), 1e-5);
        EXPECT_NEAR(fit.parameters[1].estimate.value, sweep.alpha / (sweep.alpha + sweep.beta), 1e-5);
        for (const auto& budget : fit.optima.budgets) {
            // The third derivative shifts a parabola's vertex by some (4 ln 1.05)^2 / 10.
            EXPECT_NEAR(budget.n.value / sweep.best_size(budget.compute), 1, 4e-3);
        }
    }
}

TEST(Isoflop, ADriftingGridBiasesTheParabolaAndTheBiasIsStated) {
    Sweep sweep;
    sweep.alpha = 0.5;  // exponents that differ make the valley lopsided
    sweep.beta = 0.2;
    sweep.a = 3000;
    sweep.b = 100;
    const double truth = sweep.beta / (sweep.alpha + sweep.beta);
    const auto drifting = [](double c) { return 0.3 * std::log(c / 1e18); };  // from 0 to 1.7

    const OptimaFit fit = fit_isoflop(sweep.rows(budgets, drifting), question());

    const double bias = fit.parameters[0].estimate.value - truth;
    ASSERT_TRUE(fit.surface);
    EXPECT_GT(std::abs(bias), 0.003);
    EXPECT_NEAR(fit.surface->bias_a, bias, 1e-4);
    EXPECT_NEAR(fit.surface->a, truth, 1e-4);
    for (std::size_t b = 0; b < budgets.size(); ++b) {
        const double off = fit.optima.budgets[b].n.value / sweep.best_size(budgets[b]) - 1;
        EXPECT_NEAR(fit.surface->bias_n[b], off, 1e-3) << b;
    }
    EXPECT_THAT(codes(fit), ::testing::Contains("interpolation_bias"));
}

TEST(Isoflop, ABudgetWhoseOptimumLiesOutsideItsSizesIsFlaggedAndNotUsed) {
    const Sweep sweep;
    const auto last_too_small = [](double c) { return c > 2e20 ? -3.0 : 0.0; };
    const Dataset rows = sweep.rows(budgets, last_too_small);

    for (const auto interpolation : {Interpolation::parabola, Interpolation::akima}) {
        const OptimaFit fit = fit_isoflop(rows, question(interpolation, 50));

        const BudgetOptimum& last = fit.optima.budgets.back();
        EXPECT_TRUE(last.at_edge);
        EXPECT_FALSE(last.used);
        EXPECT_THAT(codes(fit), ::testing::Contains("optimum_at_edge"));
        EXPECT_TRUE(fit.optima.budgets.front().used);
        const auto json = nlohmann::json::parse(to_json(fit));
        EXPECT_EQ(json["budgets"][4]["at_edge"], true);
        EXPECT_EQ(json["budgets"][4]["used"], false);
        EXPECT_TRUE(json["parameters"]["a"]["value"].is_number());
    }
}

TEST(Isoflop, IntervalsOfNoisyLossesHoldTheTruth) {
    Sweep sweep;
    sweep.noise = 0.004;
    const double truth = sweep.beta / (sweep.alpha + sweep.beta);

    const OptimaFit fit = fit_isoflop(sweep.rows(budgets, centred), question(Interpolation::parabola, 400));

    EXPECT_EQ(fit.noise.source, "residuals");
    EXPECT_NEAR(fit.noise.sigma / sweep.noise, 1, 0.5);  // 30 degrees of freedom, and the parabola's own misfit
    const Estimate& a = fit.parameters[0].estimate;
    EXPECT_LT(a.low, truth);
    EXPECT_GT(a.high, truth);
    EXPECT_LT(a.high - a.low, 0.1);
}

TEST(Isoflop, FewDrawsAreWarnedOf) {
    Sweep sweep;
    sweep.noise = 0.004;

    EXPECT_THAT(codes(fit_isoflop(sweep.rows(budgets, centred), question(Interpolation::parabola, 2))),
                ::testing::Contains("few_resamples"));
    EXPECT_THAT(codes(fit_isoflop(sweep.rows(budgets, centred), question(Interpolation::parabola, 200))),
                ::testing::Not(::testing::Contains("few_resamples")));
}

TEST(Isoflop, WithoutNoiseThereIsNoInterval) {
    auto asked = question(Interpolation::parabola, 50);
    asked.noise = 0;

    const OptimaFit fit = fit_isoflop(Sweep{}.rows(budgets, centred), asked);

    EXPECT_TRUE(std::isnan(fit.parameters[0].estimate.se));
    EXPECT_TRUE(std::isnan(fit.scatter));
    EXPECT_THAT(codes(fit), ::testing::Contains("no_noise"));
    EXPECT_THAT(codes(fit), ::testing::Not(::testing::Contains("optima_scatter")));
}

TEST(Isoflop, DrawsDoNotDependOnTheNumberOfThreads) {
    Sweep sweep;
    sweep.noise = 0.004;
    auto one = question(Interpolation::akima, 60);
    auto three = one;
    three.inference.bootstrap.threads = 3;
    const Dataset rows = sweep.rows(budgets, centred);

    EXPECT_EQ(to_json(fit_isoflop(rows, one)), to_json(fit_isoflop(rows, three)));
}

TEST(Isoflop, MissingColumnsFollowFromSixNdAndThatIsSaid) {
    const Sweep sweep;
    Dataset no_d = sweep.rows(budgets, centred);
    no_d.columns[2] = "unused";

    const OptimaFit fit = fit_isoflop(no_d, question());

    EXPECT_THAT(codes(fit), ::testing::Contains("assumed_6nd"));
    EXPECT_EQ(fit.parameters[0].estimate.value,
              fit_isoflop(sweep.rows(budgets, centred), question()).parameters[0].estimate.value);
}

TEST(Isoflop, RunsThatShareNoBudgetAreRefusedWithTheReason) {
    std::istringstream in{"N,D,loss\n1e6,1e8,4\n2e6,3e8,3.5\n4e6,9e8,3\n"};
    const Dataset rows = read_csv(in, "rays.csv");

    try {
        fit_isoflop(rows, question());
        FAIL() << "no error";
    } catch (const InputError& error) {
        EXPECT_THAT(error.what(), ::testing::HasSubstr("0 of 3 compute budgets"));
        EXPECT_THAT(error.what(), ::testing::HasSubstr("1 size: at least 3 are wanted"));
    }
}

TEST(Isoflop, ReadyOptimaAreRecognisedByNameAndByMapping) {
    std::istringstream in{"C,best,err\n1e18,1e7,0.1\n1e19,3.1622776601683795e7,0.1\n1e20,1e8,0.2\n"};
    const Dataset rows = read_csv(in, "optima.csv");
    EXPECT_FALSE(has_ready_optima(rows, {}));
    auto q = question(Interpolation::parabola, 300);
    q.mapping = {{"N_star", "best"}, {"N_star_logstd", "err"}};
    ASSERT_TRUE(has_ready_optima(rows, q.mapping));

    const OptimaFit fit = fit_ready_optima(rows, q);

    EXPECT_NEAR(fit.parameters.at(0).estimate.value, 0.5, 1e-12);
    EXPECT_EQ(fit.parameters.size(), 1u);  // no D, no b
    EXPECT_EQ(fit.weights, BudgetWeights::error);
    // Standard error of a weighted slope: 1 / sqrt(sum w (x - mean)^2).
    const double ten = std::log(10.0);
    const double w[] = {100, 100, 25};
    const double mean = (w[1] * ten + w[2] * 2 * ten) / 225;
    const double xx =
        w[0] * mean * mean + w[1] * (ten - mean) * (ten - mean) + w[2] * (2 * ten - mean) * (2 * ten - mean);
    EXPECT_NEAR(fit.parameters[0].estimate.se * std::sqrt(xx), 1, 0.15);  // of 300 draws: 4%
    EXPECT_NO_THROW(to_json(fit));
}

TEST(Isoflop, WeightsByErrorWantErrors) {
    std::istringstream in{"C,N_star\n1e18,1e7\n1e19,3e7\n1e20,1e8\n"};
    const Dataset rows = read_csv(in, "optima.csv");
    auto q = question();
    q.weights = BudgetWeights::error;

    EXPECT_THROW(fit_ready_optima(rows, q), InputError);
    EXPECT_THROW(fit_isoflop(Sweep{}.rows(budgets, centred), q), InputError);
}

}  // namespace
}  // namespace loglog
