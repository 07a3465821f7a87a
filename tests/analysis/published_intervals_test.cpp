#include <gmock/gmock.h>

#include "analysis/fit/parallel.hpp"
#include "analysis/inference/study.hpp"
#include "tests/analysis/laws_folder.hpp"

// Published standard errors and intervals of the fit to 240 points of Hoffmann et al. (Besiroglu et al. 2024,
// arXiv:2404.10102), kept outside the repository: $LOGLOG_LAWS, or ../shared/data/laws beside the sources. Values and
// tolerances as in expected.json there.

namespace loglog {
namespace {

class PublishedIntervals : public ::testing::Test {
  protected:
    void SetUp() override {
        if (!testing::laws_folder()) {
            GTEST_SKIP() << "no published data: set LOGLOG_LAWS to the folder that holds them";
        }
    }

    static Inference fit(std::optional<IntervalKind> interval, double level) {
        Question question;
        question.law = "chinchilla";
        question.inference.bootstrap = {4000, Seed{1}, default_threads(), BootstrapKind::cases, interval, level};
        question.inference.budgets = {5.76e23};
        return answer(filter(read_csv(*testing::laws_folder() / "chinchilla_epoch245.csv"), "excluded = 0"), question);
    }
    static const Estimate& predicted(const Inference& inference, std::string_view name) {
        for (const auto& named : inference.predictions[0]) {
            if (named.name == name) { return named.estimate; }
        }
        throw std::out_of_range{"no such prediction"};
    }
};

struct Published {
    const char* name;
    double se, low, high;
};

constexpr Published published[] = {{"E", 0.025657, 1.7694, 1.8712},      {"A", 124.49, 286.09, 743.61},
                                   {"B", 1293.2, 1042.4, 5810.4},        {"alpha", 0.015397, 0.31682, 0.37328},
                                   {"beta", 0.020594, 0.33126, 0.41537}, {"a", 0.019973, 0.48047, 0.55611}};

TEST_F(PublishedIntervals, StandardErrorsAndPercentilesAreThePublishedOnes) {
    const Inference inference = fit(IntervalKind::percentile, 0.95);
    for (const auto& [name, se, low, high] : published) {
        const Estimate& e = inference.estimate(name);
        EXPECT_NEAR(e.se / se, 1, 0.08) << name;
        EXPECT_NEAR(e.low, low, 0.15 * se) << name;
        EXPECT_NEAR(e.high, high, 0.15 * se) << name;
    }
    // The frontier's published ends have three digits; resampling moves them like the parameters' ends.
    EXPECT_NEAR(predicted(inference, "N").value / 7.319e10, 1, 1e-3);
    EXPECT_NEAR(predicted(inference, "N").low / 5.173e10, 1, 0.05);
    EXPECT_NEAR(predicted(inference, "N").high / 1.124e11, 1, 0.05);
    EXPECT_NEAR(predicted(inference, "loss").value, 1.97391, 1e-4);
    EXPECT_NEAR(predicted(inference, "loss").low, 1.951, 0.15 * 0.0125);
    EXPECT_NEAR(predicted(inference, "loss").high, 2.0017, 0.15 * 0.0125);
}

TEST_F(PublishedIntervals, EightyPercentOfTokensPerParameter) {
    const Inference inference = fit(IntervalKind::percentile, 0.8);

    const Estimate& ratio = predicted(inference, "tokens_per_parameter");
    EXPECT_NEAR(ratio.value, 17.92, 0.02);
    EXPECT_NEAR(inference.estimate("a").low, 0.49137, 0.15 * 0.02);
    EXPECT_NEAR(inference.estimate("a").high, 0.54278, 0.15 * 0.02);
    EXPECT_NEAR(ratio.low, 9.88, 0.15 * ratio.se);
    EXPECT_NEAR(ratio.high, 29.0, 0.15 * ratio.se);
}

TEST_F(PublishedIntervals, DefaultIntervalsMeetThePublishedEnds) {
    const Inference inference = fit(BootstrapOptions{}.interval, 0.95);
    for (const auto& [name, se, low, high] : published) {
        EXPECT_NEAR(inference.estimate(name).low, low, 0.15 * se) << name;
        EXPECT_NEAR(inference.estimate(name).high, high, 0.15 * se) << name;
    }
}

TEST_F(PublishedIntervals, ProfilesAreWithinAFactorOfTwoOfTheBootstrap) {
    const Inference inference = fit(IntervalKind::percentile, 0.95);
    for (const auto& profile : inference.profiles.intervals) {
        if (profile.name == "A" || profile.name == "B") { continue; }  // skewed: see their logarithms
        const Estimate& e = inference.estimate(profile.name);
        EXPECT_EQ(profile.open, OpenSide::none) << profile.name;
        // A sanity bound only: beta's profile is .53 of the bootstrap's interval, and why is not known.
        EXPECT_GT((profile.high - profile.low) / (e.high - e.low), 0.5) << profile.name;
        EXPECT_LT((profile.high - profile.low) / (e.high - e.low), 2) << profile.name;
    }
}

}  // namespace
}  // namespace loglog
