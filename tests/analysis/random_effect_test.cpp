#include "analysis/inference/random_effect.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <boost/math/distributions/fisher_f.hpp>
#include <cmath>
#include <numeric>

#include "analysis/inference/refit.hpp"
#include "analysis/inference/study.hpp"
#include "engine/base/error.hpp"
#include "engine/base/random.hpp"
#include "tests/analysis/laws_folder.hpp"

namespace loglog {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr double alpha = 0.1;
constexpr int sets = 400;
constexpr double four = 4;  // standard errors: passed by chance alone in 1 of 16,000

/// Losses of 5 X^-0.1 at X = 4, 16, ..., `counts[g]` runs at each, with both kinds of noise in ln loss.
Dataset runs(const std::vector<int>& counts, double sigma, double tau, int set) {
    const Random random{Seed{static_cast<std::uint64_t>(set)}, Stream::synthetic_data};
    Dataset data{"runs", {"X", "loss"}, {}, {}};
    std::uint64_t draw = 0;
    for (std::size_t g = 0; g < counts.size(); ++g) {
        const double x = std::pow(4.0, static_cast<double>(g + 1));
        const double shared = std::log(5) - alpha * std::log(x) + tau * random.normal(draw++);
        for (int i = 0; i < counts[g]; ++i) {
            data.rows.push_back(
                {fmt::format("{:.17g}", x), fmt::format("{:.17g}", std::exp(shared + sigma * random.normal(draw++)))});
            data.row_names.push_back(fmt::format("row {}", data.rows.size()));
        }
    }
    return data;
}

Question question(Repeats repeats) {
    Question question;
    question.law = "power";
    question.x = "X";
    question.points = PointChoice::all;
    question.inference.objective = parse_objective("ls-log", 1e-3);
    question.inference.bootstrap.resamples = 0;
    question.units = {"none", repeats};
    return question;
}

struct Fitted {
    Prepared prepared;
    double alpha;
};

Fitted fit(const Dataset& data, Repeats repeats) {
    const Law& law = find_law("power");
    Fitted fitted{prepare(data, question(repeats), law), 0};
    fitted.alpha = value_of(refit("", law, fitted.prepared.points, fitted.prepared.options.objective, {}), "alpha");
    return fitted;
}

TEST(RandomEffect, RecoversBothStandardDeviations) {
    constexpr double sigma = 0.004, tau = 0.006;
    const std::vector<int> counts(20, 3);
    double sigma_squared = 0, tau_squared = 0;
    for (int set = 0; set < sets; ++set) {
        const SeedEffects seeds = *fit(runs(counts, sigma, tau, set), Repeats::random_effect).prepared.options.seeds;
        EXPECT_EQ(seeds.groups, 20u);
        EXPECT_EQ(seeds.degrees, 40u);
        EXPECT_TRUE(seeds.is_settled);
        sigma_squared += seeds.sigma * seeds.sigma / sets;
        tau_squared += seeds.tau * seeds.tau / sets;
    }

    // Both are unbiased: sigma^2 has 40 degrees of freedom, a mean's variance 20 - 2. That tau^2 would be negative is
    // three standard deviations off.
    const double of_mean = sigma * sigma / 3;
    const double sigma_error = sigma * sigma * std::sqrt(2.0 / 40 / sets);
    const double tau_error =
        std::hypot((tau * tau + of_mean) * std::sqrt(2.0 / 18), of_mean * std::sqrt(2.0 / 40)) / std::sqrt(sets);
    EXPECT_NEAR(sigma_squared, sigma * sigma, four * sigma_error);
    EXPECT_NEAR(tau_squared, tau * tau, four * tau_error);
}

TEST(RandomEffect, OfUnequalGroupsIsCloserToTheTruthThanEveryRowByItself) {
    // 40 runs at the smallest X, one at each of 9 others, and places that differ by more than seeds do: rows by
    // themselves hang the line on one place's deviation.
    std::vector<int> counts(10, 1);
    counts[0] = 40;
    constexpr double sigma = 0.004, tau = 0.01;
    std::vector<double> gains;  // of squared error
    double each_squares = 0;
    for (int set = 0; set < sets; ++set) {
        const Dataset data = runs(counts, sigma, tau, set);
        const double each = fit(data, Repeats::each).alpha - alpha;
        const double random = fit(data, Repeats::random_effect).alpha - alpha;
        gains.push_back(each * each - random * random);
        each_squares += each * each / sets;
    }

    const double gain = std::accumulate(gains.begin(), gains.end(), 0.0) / sets;
    double scatter = 0;
    for (const double one : gains) { scatter += (one - gain) * (one - gain) / (sets - 1); }
    EXPECT_GT(gain, four * std::sqrt(scatter / sets));
    // The variance of a weighted line's slope, sum w^2 x^2 V / (sum w x^2)^2 about the weighted mean, V = tau^2 +
    // sigma^2/n. With w = n it is twice that with w = 1; the weights estimated lie between.
    double mean = 0, spread = 0, noise = 0;
    for (std::size_t g = 0; g < counts.size(); ++g) { mean += counts[g] * static_cast<double>(g) / 49; }
    for (std::size_t g = 0; g < counts.size(); ++g) {
        const double x = (static_cast<double>(g) - mean) * std::log(4);
        spread += counts[g] * x * x;
        noise += counts[g] * counts[g] * x * x * (tau * tau + sigma * sigma / counts[g]);
    }
    EXPECT_NEAR(each_squares / (noise / (spread * spread)), 1, four * std::sqrt(2.0 / sets));
    EXPECT_GT(gain / each_squares, 0.3);
}

TEST(RandomEffect, WithoutPlacesThatDifferWeighsByTheirRuns) {
    std::vector<int> counts(10, 1);
    counts[0] = 40;
    int without = 0;
    for (int set = 0; set < sets; ++set) {
        const Dataset data = runs(counts, 0.004, 0, set);
        const Fitted random = fit(data, Repeats::random_effect);
        if (random.prepared.options.seeds->tau > 0) { continue; }
        ++without;
        const auto& weight = random.prepared.points.weight;
        EXPECT_NEAR(weight[0], 40 * weight[1], 1e-9);
        EXPECT_NEAR(std::accumulate(weight.begin(), weight.end(), 0.0), 10, 1e-9);
        // Weighting means by their runs is what least squares does with the rows.
        EXPECT_NEAR(random.alpha, fit(data, Repeats::each).alpha, 1e-7);
    }

    // tau^2 is 0 where the lack of fit's F, with 10 - 2 and 39 degrees of freedom, is below 1.
    const double expected = cdf(boost::math::fisher_f{8, 39}, 1.0);
    EXPECT_NEAR(without / double{sets}, expected, four * std::sqrt(expected * (1 - expected) / sets));
}

TEST(RandomEffect, OfEqualGroupsIsTheAverage) {
    const Dataset data = runs(std::vector<int>(8, 3), 0.004, 0.01, 1);

    const Fitted random = fit(data, Repeats::random_effect);
    const Fitted average = fit(data, Repeats::average);

    EXPECT_THAT(random.prepared.points.weight, Each(::testing::DoubleNear(1, 1e-12)));
    EXPECT_NEAR(random.alpha, average.alpha, 1e-9);
    EXPECT_TRUE(std::isnan(average.prepared.options.seeds->tau));
    EXPECT_EQ(average.prepared.options.seeds->sigma, random.prepared.options.seeds->sigma);
}

TEST(RandomEffect, OfLossesItselfIsInNats) {
    const Dataset data = runs(std::vector<int>(8, 3), 0.004, 0.01, 1);
    Question linear = question(Repeats::random_effect);
    linear.inference.objective = parse_objective("ls-linear", 1e-3);

    const SeedEffects seeds = *prepare(data, linear, find_law("power")).options.seeds;

    EXPECT_EQ(seeds.residual, Objective::Residual::linear);
    // Losses are 4.4 to 1.6: an error of .004 in ln loss is .0063 to .018 nats.
    EXPECT_GT(seeds.sigma, 0.004);
    EXPECT_LT(seeds.sigma, 0.018 * 2);
}

TEST(RandomEffect, IsReportedInTextAndJson) {
    const Dataset data = runs(std::vector<int>(8, 3), 0.004, 0.01, 1);

    const Inference inference = answer(data, question(Repeats::random_effect));

    ASSERT_TRUE(inference.seeds);
    const std::string json = to_json(inference);
    EXPECT_THAT(json, HasSubstr("\"seeds\": {\n    \"kind\": \"random-effect\",\n    \"groups\": 8,"));
    EXPECT_THAT(json, HasSubstr("\"sigma\": "));
    EXPECT_THAT(to_text(inference), HasSubstr(fmt::format("sigma = {:.3g} of ln loss", inference.seeds->sigma)));
    EXPECT_THAT(to_text(inference), HasSubstr(fmt::format("tau = {:.3g}", inference.seeds->tau)));
    EXPECT_THAT(to_json(answer(data, question(Repeats::each))), ::testing::Not(HasSubstr("\"seeds\"")));
}

TEST(RandomEffect, OfFewRepeatsIsWarnedOf) {
    std::vector<int> counts(8, 1);
    counts[3] = 2;

    const Prepared prepared = fit(runs(counts, 0.004, 0.01, 1), Repeats::random_effect).prepared;

    ASSERT_EQ(prepared.options.warnings.size(), 1u);
    EXPECT_EQ(prepared.options.warnings[0].code, "few_repeats");
}

TEST(RandomEffect, IsRefusedWhereTheDataCannotTellIt) {
    const auto message = [](const std::vector<int>& counts) {
        try {
            fit(runs(counts, 0.004, 0.01, 1), Repeats::random_effect);
        } catch (const InputError& error) { return std::string{error.what()}; }
        return std::string{};
    };
    EXPECT_THAT(message(std::vector<int>(8, 1)), HasSubstr("no two of the 8 rows are at the same place"));
    EXPECT_THAT(message({3, 3}), HasSubstr("2 places are not more than the 2 parameters of 'power'"));
}

class PublishedSeeds : public ::testing::Test {
  protected:
    void SetUp() override {
        if (!testing::laws_folder()) {
            GTEST_SKIP() << "no published data: set LOGLOG_LAWS to the folder that holds them";
        }
    }
    static Dataset rows(const char* file, const std::string& where) {
        return filter(read_csv(*testing::laws_folder() / file), where);
    }
};

TEST_F(PublishedSeeds, OfOneLawWithoutDeviationsGiveTheirNoise) {
    Question asked = question(Repeats::random_effect);
    asked.law = "chinchilla";
    asked.x.clear();

    const SeedEffects seeds = *prepare(rows("synth_seeds.csv", "true"), asked, find_law("chinchilla")).options.seeds;

    EXPECT_EQ(seeds.groups, 72u);
    EXPECT_NEAR(seeds.sigma, 0.004, four * 0.004 / std::sqrt(2.0 * 144));
    // tau^2 is 0 or what 72 - 5 degrees of freedom leave of it.
    const double of_mean = 0.004 * 0.004 / 3;
    EXPECT_LT(seeds.tau * seeds.tau, four * of_mean * std::sqrt(2.0 / 67 + 2.0 / 144));
}

TEST_F(PublishedSeeds, OfRepeatedDataGiveThePooledStandardDeviations) {
    Question asked = question(Repeats::random_effect);
    asked.inference.objective = parse_objective("ls-linear", 1e-3);
    asked.x = "U";
    const auto sigma = [&](const char* where) {
        return prepare(rows("datablations_seeds.csv", where), asked, find_law("power")).options.seeds->sigma;
    };

    EXPECT_NEAR(sigma("seed > 0 and N = 2.81e9 and D = 5.5e10"), 0.0014345, 1e-7);
    EXPECT_NEAR(sigma("seed > 0 and N = 4.2465e9 and D = 8.4e10"), 0.0149321, 1e-7);
}

}  // namespace
}  // namespace loglog
