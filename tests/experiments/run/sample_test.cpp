#include "experiments/run/sample.hpp"

#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <vector>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

// softmax = 0.1, 0.2, 0.4, 0.3 of the tokens 0 to 3
const std::array<float, 4> logits{std::log(0.1f), std::log(0.2f), std::log(0.4f), std::log(0.3f)};

std::vector<double> frequencies(const SamplingOptions& options) {
    constexpr int draws = 10'000;
    std::vector<double> counts(logits.size());
    for (int i = 0; i < draws; ++i) {
        counts[static_cast<std::size_t>(sample_token(logits, options, (i + 0.5) / draws))] += 1.0 / draws;
    }
    return counts;
}

TEST(SampleToken, DrawsFromTheSoftmax) {
    EXPECT_THAT(frequencies({}), testing::Pointwise(testing::DoubleNear(1e-4), {0.1, 0.2, 0.4, 0.3}));
}

TEST(SampleToken, TemperatureZeroTakesTheLikeliest) { EXPECT_EQ(sample_token(logits, {.temperature = 0}, 0.999), 2); }

TEST(SampleToken, TemperatureHalfSquaresTheProbabilities) {
    // 0.01, 0.04, 0.16, 0.09 over their sum 0.30
    EXPECT_THAT(frequencies({.temperature = 0.5}),
                testing::Pointwise(testing::DoubleNear(2e-4), {0.01 / 0.3, 0.04 / 0.3, 0.16 / 0.3, 0.09 / 0.3}));
}

TEST(SampleToken, TopKLeavesTheKLikeliest) {
    EXPECT_THAT(frequencies({.top_k = 2}), testing::Pointwise(testing::DoubleNear(2e-4), {0.0, 0.0, 4.0 / 7, 3.0 / 7}));
}

TEST(SampleToken, TopPLeavesTheFewestThatHoldTheProbability) {
    // 0.4 alone does not hold 0.5, 0.4 + 0.3 does.
    EXPECT_THAT(frequencies({.top_p = 0.5}),
                testing::Pointwise(testing::DoubleNear(2e-4), {0.0, 0.0, 4.0 / 7, 3.0 / 7}));
}

TEST(SampleToken, EqualLogitsAreTakenInTheOrderOfTheirIds) {
    const std::array<float, 3> equal{0, 0, 0};

    EXPECT_EQ(sample_token(equal, {.top_k = 1}, 0.9), 0);
}

TEST(Validate, ListsEverythingThatIsOutOfRange) {
    try {
        validate({.tokens = 0, .temperature = -1, .top_k = -2, .top_p = 1.5});
        FAIL() << "accepted";
    } catch (const InputError& error) {
        EXPECT_STREQ(error.what(),
                     "--tokens is 0 but must be at least 1\n--temperature is -1 but must be at least 0\n"
                     "--top-k is -2 but must be at least 0 (0: all)\n--top-p is 1.5 but must be above 0 and at most 1");
    }
}

}  // namespace
}  // namespace loglog
