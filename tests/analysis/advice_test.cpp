#include "analysis/design/advice.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "engine/base/error.hpp"
#include "tests/analysis/synthetic_runs.hpp"

// What the advice promises, on runs made from a known law of N and D.

namespace loglog {
namespace {

using ::testing::HasSubstr;

constexpr double noise = 0.003;

Inference fit(const SyntheticRuns& runs) {
    InferenceOptions options;
    options.objective = parse_objective("ls-log", 1e-3);
    options.bootstrap.resamples = 0;
    options.bootstrap.threads = 1;
    return infer(find_law("chinchilla"), runs.points(), options);
}

SyntheticRuns study(std::uint64_t seed) {
    SyntheticRuns runs;
    runs.fill(4, 4, noise, Seed{seed});
    return runs;
}

std::vector<CandidateRun> grid(int sizes, int counts) {
    std::vector<CandidateRun> candidates;
    for (int i = 0; i < sizes; ++i) {
        for (int j = 0; j < counts; ++j) {
            const double n = 1e6 * std::pow(3.0, i);
            const double d = 1e8 * std::pow(3.0, j);
            candidates.push_back({{n, d}, 6 * n * d});
        }
    }
    return candidates;
}

/// Asymptotic standard error of parameter `k`.
double standard_error(const Inference& inference, std::size_t k) {
    return std::sqrt(inference.covariance.asymptotic.at(k).at(k));
}

constexpr std::size_t alpha = 3;

TEST(Advice, StartsFromTheErrorThatTheFitStates) {
    const Inference inference = fit(study(1));
    const Advice advice = advise(inference, {"alpha", 0}, grid(5, 5), 1e18, 4);

    ASSERT_EQ(inference.covariance.names.at(alpha), "alpha");
    EXPECT_NEAR(advice.se_before / standard_error(inference, alpha), 1, 1e-6);
    EXPECT_DOUBLE_EQ(advice.value, inference.natural[alpha]);
}

TEST(Advice, TheErrorExpectedIsTheErrorHadOnceTheRunsAreTrained) {
    // Each refit scales its error by the residuals of 16 runs and 4 more, 15 degrees of freedom: over 30 studies the
    // mean of the ratio deviates by 1 / sqrt(2 * 15 * 30) = 3.4% of noise in the scale, and as much again from the fit
    // that the forecast is linear at.
    double ratios = 0;
    double squared_before = 0;
    double squared_after = 0;
    constexpr int studies = 30;
    for (std::uint64_t seed = 1; seed <= studies; ++seed) {
        SyntheticRuns runs = study(seed);
        const Inference before = fit(runs);
        const auto candidates = grid(6, 6);
        const Advice advice = advise(before, {"alpha", 0}, candidates, 3e18, 4);
        const Random random{Seed{seed}, Stream::search};
        for (const AdvisedRun& run : advice.runs) {
            const auto& x = candidates[run.candidate].x;
            runs.n.push_back(x[0]);
            runs.d.push_back(x[1]);
            runs.loss.push_back(
                (runs.floor + runs.a * std::pow(x[0], -runs.alpha) + runs.b * std::pow(x[1], -runs.beta)) *
                std::exp(noise * random.normal(runs.loss.size())));
        }
        const Inference after = fit(runs);
        ratios += standard_error(after, alpha) / advice.se_after() / studies;
        squared_before += std::pow(before.natural[alpha] - runs.alpha, 2);
        squared_after += std::pow(after.natural[alpha] - runs.alpha, 2);
        EXPECT_LT(advice.se_after(), 0.75 * advice.se_before);
    }
    EXPECT_NEAR(ratios, 1, 0.15);
    EXPECT_LT(squared_after, squared_before);
}

TEST(Advice, NoOtherSetOfRunsWithinTheBudgetIsExpectedToDoBetter) {
    const Inference inference = fit(study(2));
    const auto candidates = grid(4, 4);
    const double budget = 2e17;
    for (const char* name : {"alpha", "beta", "E", "a"}) {
        const Advice advice = advise(inference, {name, 0}, candidates, budget, 2);
        double least = advice.se_before;
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            for (std::size_t j = i + 1; j < candidates.size(); ++j) {
                if (candidates[i].flops + candidates[j].flops > budget) { continue; }
                const std::vector<CandidateRun> pair{candidates[i], candidates[j]};
                least = std::min(least, advise(inference, {name, 0}, pair, budget, 2).se_after());
            }
        }
        EXPECT_LE(advice.flops, budget);
        EXPECT_LE(advice.se_after(), least * 1.01) << name;
    }
}

TEST(Advice, RunsComeInTheOrderOfGainPerFlopAndEachLowersTheError) {
    const Advice advice = advise(fit(study(3)), {"a", 0}, grid(6, 6), 1e19, 6);

    ASSERT_GT(advice.runs.size(), 1u);
    double before = advice.se_before;
    double sum = 0;
    for (const AdvisedRun& run : advice.runs) {
        EXPECT_LT(run.se, before);
        before = run.se;
        sum += grid(6, 6)[run.candidate].flops;
    }
    EXPECT_DOUBLE_EQ(sum, advice.flops);
}

TEST(Advice, IsGivenForPredictionsAtABudgetWithRelativeErrorsOfNAndD) {
    const Inference inference = fit(study(4));

    const Advice size = advise(inference, {"N", 1e21}, grid(6, 6), 1e19, 4);
    const Advice tokens = advise(inference, {"D", 1e21}, grid(6, 6), 1e19, 4);
    const Advice loss = advise(inference, {"loss", 1e21}, grid(6, 6), 1e19, 4);

    EXPECT_TRUE(size.is_logarithm);
    EXPECT_FALSE(loss.is_logarithm);
    EXPECT_NEAR(size.se_before, tokens.se_before, 1e-6 * size.se_before) << "N D = C / 6 is fixed";
    EXPECT_LT(loss.se_after(), loss.se_before);
}

std::string refusal(const Inference& inference, const AdviceTarget& target, double budget) {
    try {
        advise(inference, target, grid(4, 4), budget, 4);
    } catch (const InputError& error) { return error.what(); }
    return "nothing was refused";
}

TEST(Advice, RefusesWhatItCannotAnswer) {
    const Inference inference = fit(study(5));

    EXPECT_THAT(refusal(inference, {"alhpa", 0}, 1e18), HasSubstr("did you mean 'alpha'"));
    EXPECT_THAT(refusal(inference, {"N", 0}, 1e18), HasSubstr("--at 1e18"));
    EXPECT_THAT(refusal(inference, {"alpha", 1e20}, 1e18), HasSubstr("does not depend on a budget"));
    EXPECT_THAT(refusal(inference, {"alpha", 0}, 1e10), HasSubstr("less than the cheapest run"));
}

TEST(Advice, RefusesATargetAtItsBound) {
    const auto floorless = [](std::uint64_t seed) {
        SyntheticRuns runs;
        runs.floor = 0;
        runs.fill(4, 4, 0.02, Seed{seed});
        return fit(runs);
    };
    std::uint64_t seed = 1;
    Inference inference = floorless(seed);
    while (inference.natural[0] > 0 && seed < 20) { inference = floorless(++seed); }  // half of such floors end at zero
    ASSERT_EQ(inference.natural[0], 0);

    EXPECT_THAT(refusal(inference, {"E", 0}, 1e18), HasSubstr("at a bound"));
}

}  // namespace
}  // namespace loglog
