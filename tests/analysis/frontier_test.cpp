#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis/frontier/departure.hpp"
#include "analysis/inference/inference.hpp"
#include "engine/base/error.hpp"
#include "tests/analysis/synthetic_runs.hpp"

namespace loglog {
namespace {

const Values chinchilla{1.69, 406.4, 410.7, 0.34, 0.28};  // E, A, B, alpha, beta
constexpr double budget = 1e21;

double get(const std::vector<NamedValue>& values, std::string_view name) {
    for (const auto& one : values) {
        if (one.name == name) { return one.value; }
    }
    ADD_FAILURE() << "no " << name;
    return 0;
}
double loss(double n, double d) { return 1.69 + 406.4 * std::pow(n, -0.34) + 410.7 * std::pow(d, -0.28); }

TEST(Departure, OfFactorOneCostsNothing) {
    const Law& law = find_law("chinchilla");

    for (const auto kind : {Departure::Kind::size, Departure::Kind::tokens_per_parameter}) {
        const auto at = cost(law, chinchilla, budget, {kind, 1});

        EXPECT_NEAR(get(at, "excess_loss"), 0, 1e-12);
        // The loss is flat at the optimum, so a rounding of it by 1e-16 moves the compute by about 1e-15 at least.
        EXPECT_NEAR(get(at, "compute_ratio"), 1, 1e-10);
        EXPECT_NEAR(get(at, "size_ratio"), 1, 1e-10);
    }
}

TEST(Departure, ASmallerModelNeedsTheTokensThatTheFormulaSays) {
    const Law& law = find_law("chinchilla");
    const auto best = law.predict(chinchilla, budget);

    const auto at = cost(law, chinchilla, budget, {Departure::Kind::size, 0.5});

    const double n = get(best, "N") / 2;
    EXPECT_NEAR(get(at, "N") / n, 1, 1e-12);
    EXPECT_NEAR(6 * get(at, "N") * get(at, "D") / budget, 1, 1e-12);
    EXPECT_NEAR(get(at, "loss"), loss(n, budget / (6 * n)), 1e-12);
    EXPECT_GT(get(at, "excess_loss"), 0);
    const double d = std::pow((get(best, "loss") - 1.69 - 406.4 * std::pow(n, -0.34)) / 410.7, -1 / 0.28);
    EXPECT_NEAR(get(at, "D_same_loss") / d, 1, 1e-9);
    EXPECT_NEAR(get(at, "compute_ratio") / (6 * n * d / budget), 1, 1e-9);
    EXPECT_EQ(get(at, "size_ratio"), 0.5);
}

TEST(Departure, AModelTooSmallNeverReachesTheLoss) {
    const auto at = cost(find_law("chinchilla"), chinchilla, budget, {Departure::Kind::size, 0.01});

    EXPECT_TRUE(std::isinf(get(at, "compute_ratio")));
    EXPECT_TRUE(std::isinf(get(at, "D_same_loss")));
    EXPECT_TRUE(std::isfinite(get(at, "loss")));
}

TEST(Departure, OverTrainingKeepsItsTokensPerParameter) {
    const Law& law = find_law("chinchilla");
    const auto best = law.predict(chinchilla, budget);

    const auto at = cost(law, chinchilla, budget, {Departure::Kind::tokens_per_parameter, 4});

    const double ratio = 4 * get(best, "tokens_per_parameter");
    EXPECT_NEAR(get(at, "D") / get(at, "N") / ratio, 1, 1e-12);
    EXPECT_NEAR(get(at, "D_same_loss") / get(at, "N_same_loss") / ratio, 1, 1e-12);
    EXPECT_NEAR(loss(get(at, "N_same_loss"), get(at, "D_same_loss")), get(best, "loss"), 1e-10);
    EXPECT_GT(get(at, "compute_ratio"), 1);
    EXPECT_LT(get(at, "size_ratio"), 1);
}

TEST(Departure, WorksForKaplansLawToo) {
    const Values kaplan{8.8e13, 5.4e13, 0.076, 0.095};  // Nc, Dc, alphaN, alphaD of Kaplan et al. 2020

    const auto at = cost(find_law("kaplan"), kaplan, budget, {Departure::Kind::size, 2});

    EXPECT_GT(get(at, "excess_loss"), 0);
    EXPECT_GT(get(at, "compute_ratio"), 1);
    EXPECT_TRUE(std::isfinite(get(at, "compute_ratio")));
}

TEST(Departure, LawsWithoutAFrontierAreRefused) {
    EXPECT_THROW(require_frontier(find_law("power")), InputError);
    EXPECT_FALSE(has_frontier(find_law("saturating")));
    EXPECT_TRUE(has_frontier(find_law("chinchilla")));
}

TEST(Departure, AFitCarriesItsCostsWithIntervals) {
    SyntheticRuns runs;
    runs.fill(6, 6, 0.003, Seed{3});
    InferenceOptions options;
    options.bootstrap.resamples = 60;
    options.budgets = {1e19, 1e21};
    options.departures = {{Departure::Kind::size, 2}, {Departure::Kind::tokens_per_parameter, 4}};

    const Inference fit = infer(find_law("chinchilla"), runs.points(), options);

    ASSERT_EQ(fit.departures.size(), 4u);
    const auto json = nlohmann::json::parse(to_json(fit));
    const auto& over = json["departures"][3];
    EXPECT_EQ(over["kind"], "tokens_per_parameter");
    EXPECT_EQ(over["factor"], 4.0);
    EXPECT_EQ(over["C"], 1e21);
    EXPECT_LE(over["compute_ratio"]["low"], over["compute_ratio"]["value"]);
    EXPECT_GE(over["compute_ratio"]["high"], over["compute_ratio"]["value"]);
    EXPECT_THAT(to_text(fit), ::testing::HasSubstr("with 4 times the optimal tokens per parameter"));
}

}  // namespace
}  // namespace loglog
