#include "engine/data/probe_examples.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <vector>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

struct Made {
    std::vector<std::int32_t> tokens;
    std::vector<std::int32_t> targets;
};

Made make(const ProbeSettings& settings, Split split, std::uint64_t index) {
    const auto context = static_cast<std::size_t>(settings.context);
    Made made{std::vector<std::int32_t>(context, -7), std::vector<std::int32_t>(context, -7)};
    ProbeExamples{settings}.make(split, index, made.tokens, made.targets);
    return made;
}

std::vector<std::int32_t> labels_of(const Made& made) {
    std::vector<std::int32_t> labels;
    std::copy_if(made.targets.begin(), made.targets.end(), std::back_inserter(labels), [](auto t) { return t >= 0; });
    return labels;
}

TEST(Mqar, AsksForTheValueOfEveryKeyOnceAfterThePairs) {
    const ProbeSettings settings{.task = ProbeTask::mqar, .context = 64, .size = 4, .vocab = 100};
    for (std::uint64_t index = 0; index < 200; ++index) {
        const Made made = make(settings, Split::train, index);
        std::set<std::int32_t> keys;
        std::set<std::int32_t> values;
        std::set<std::int32_t> asked;
        for (std::size_t pair = 0; pair < 4; ++pair) {
            keys.insert(made.tokens[2 * pair]);
            values.insert(made.tokens[2 * pair + 1]);
            EXPECT_EQ(made.targets[2 * pair], -1);
            EXPECT_EQ(made.targets[2 * pair + 1], -1);
        }
        for (std::size_t place = 8; place < 64; ++place) {
            if (made.targets[place] == -1) {
                EXPECT_EQ(made.tokens[place], 0);
                continue;
            }
            EXPECT_EQ(place % 2, 0u);
            const auto key = std::find(made.tokens.begin(), made.tokens.begin() + 8, made.tokens[place]);
            ASSERT_NE(key, made.tokens.begin() + 8);
            EXPECT_EQ(made.targets[place], *(key + 1));
            asked.insert(made.tokens[place]);
        }

        EXPECT_EQ(keys.size(), 4u);
        EXPECT_EQ(values.size(), 4u);
        EXPECT_EQ(asked, keys);
        EXPECT_GE(*keys.begin(), 1);
        EXPECT_LT(*keys.rbegin(), 50);
        EXPECT_GE(*values.begin(), 50);
        EXPECT_LT(*values.rbegin(), 100);
    }
}

TEST(Mqar, TheFirstPairsSlotFollowsItsPowerLaw) {
    const ProbeSettings settings{.task = ProbeTask::mqar, .context = 16, .size = 2, .vocab = 1'000};
    constexpr int examples = 20'000;
    std::vector<double> found(6);
    for (std::uint64_t index = 0; index < examples; ++index) {
        const Made made = make(settings, Split::train, index);
        for (std::size_t slot = 0; slot < 6; ++slot) { found[slot] += made.tokens[4 + 2 * slot] == made.tokens[0]; }
    }

    double sum = 0;
    for (int u = 0; u < 6; ++u) { sum += std::pow(u + 1, -0.99); }
    for (std::size_t u = 0; u < 6; ++u) {
        const double p = std::pow(static_cast<double>(u + 1), -0.99) / sum;
        // Five standard deviations of a binomial share.
        EXPECT_NEAR(found[u] / examples, p, 5 * std::sqrt(p * (1 - p) / examples)) << "slot " << u;
    }
}

TEST(Copy, RepeatsTheStringAndPalindromeReversesIt) {
    for (const ProbeTask task : {ProbeTask::copy, ProbeTask::palindrome}) {
        const ProbeSettings settings{.task = task, .context = 33, .size = 16};
        std::set<std::size_t> lengths;
        for (std::uint64_t index = 0; index < 300; ++index) {
            const Made made = make(settings, Split::train, index);
            auto labels = labels_of(made);
            lengths.insert(labels.size());
            const auto length = static_cast<std::ptrdiff_t>(labels.size());

            EXPECT_EQ(made.tokens[0], ProbeExamples::begin_token);
            EXPECT_EQ(made.tokens[labels.size() + 1], ProbeExamples::separator_token);
            EXPECT_EQ(made.targets[labels.size() + 1], labels[0]);
            for (std::size_t i = 1; i < labels.size(); ++i) {
                EXPECT_EQ(made.tokens[labels.size() + 1 + i], labels[i - 1]);
            }
            if (task == ProbeTask::palindrome) { std::reverse(labels.begin(), labels.end()); }
            EXPECT_EQ(labels, std::vector<std::int32_t>(made.tokens.begin() + 1, made.tokens.begin() + 1 + length));
        }
        EXPECT_EQ(lengths.size(), 16u);
        EXPECT_EQ(*lengths.rbegin(), 16u);
    }
}

TEST(Copy, IsTestedOnLongerStringsWhereTheyFit) {
    const ProbeSettings settings{.task = ProbeTask::copy, .context = 100, .size = 16};

    EXPECT_THAT(ProbeExamples{settings}.test_lengths(), testing::ElementsAre(16, 32));
    EXPECT_EQ(labels_of(make(settings, Split::validation, 0)).size(), 16u);
    EXPECT_EQ(labels_of(make(settings, Split::validation, 1)).size(), 32u);
    EXPECT_EQ(labels_of(make(settings, Split::validation, 2)).size(), 16u);
}

TEST(NoisyCopy, AsksForTheLettersInTheirOrder) {
    const ProbeSettings settings{.task = ProbeTask::noisy_copy, .context = 40, .size = 8};
    for (std::uint64_t index = 0; index < 100; ++index) {
        const Made made = make(settings, Split::train, index);
        std::vector<std::int32_t> letters;
        std::copy_if(made.tokens.begin(), made.tokens.begin() + 32, std::back_inserter(letters),
                     [](auto token) { return token >= ProbeExamples::first_letter; });

        EXPECT_EQ(labels_of(made), letters);
        EXPECT_EQ(made.tokens[32], ProbeExamples::separator_token);
    }
}

TEST(Induction, LabelsTheSecondHalfFromItsSecondTokenOn) {
    const ProbeSettings settings{.task = ProbeTask::induction, .context = 20, .vocab = 50};
    const Made made = make(settings, Split::train, 3);

    EXPECT_TRUE(std::equal(made.tokens.begin(), made.tokens.begin() + 10, made.tokens.begin() + 10));
    EXPECT_EQ(std::set<std::int32_t>(made.tokens.begin(), made.tokens.begin() + 10).size(), 10u);
    for (std::size_t i = 0; i < 20; ++i) {
        EXPECT_EQ(made.targets[i], i >= 10 && i < 19 ? made.tokens[i + 1] : -1) << "place " << i;
    }
}

TEST(ProbeExamples, AreTheSameWheneverMadeAndDifferBetweenSplitsSeedsAndIndices) {
    ProbeSettings settings{.task = ProbeTask::mqar, .context = 64, .size = 4};
    std::set<std::vector<std::int32_t>> seen;
    for (std::uint64_t index = 0; index < 500; ++index) {
        for (const Split split : {Split::train, Split::validation}) {
            const Made made = make(settings, split, index);
            EXPECT_EQ(made.tokens, make(settings, split, index).tokens);
            EXPECT_TRUE(seen.insert(made.tokens).second) << "an example of one split is in the other";
        }
    }
    const Made first = make(settings, Split::train, 0);
    settings.seed = Seed{2};
    EXPECT_NE(make(settings, Split::train, 0).tokens, first.tokens);
}

TEST(ProbeExamples, MeanLabelsAreWhatIsMade) {
    for (const ProbeTask task : {ProbeTask::mqar, ProbeTask::copy, ProbeTask::induction, ProbeTask::noisy_copy}) {
        const ProbeSettings settings{.task = task, .context = 64, .size = 8, .vocab = 100};
        double labels = 0;
        for (std::uint64_t index = 0; index < 2'000; ++index) {
            labels += static_cast<double>(labels_of(make(settings, Split::train, index)).size()) / 2'000;
        }
        // Lengths are uniform in 1 to 8: five standard deviations of their mean.
        EXPECT_NEAR(labels, ProbeExamples{settings}.labels_per_example(), 5 * std::sqrt(63.0 / 12 / 2'000));
    }
}

TEST(ProbeExamples, RefusesWhatDoesNotFit) {
    const ProbeSettings settings{.task = ProbeTask::mqar, .context = 16, .size = 8, .vocab = 10};
    try {
        const ProbeExamples examples{settings};
        FAIL() << "accepted";
    } catch (const InputError& error) {
        EXPECT_THAT(error.what(),
                    testing::HasSubstr("mqar of 8 pairs needs a context of at least 32 tokens, which is 16"));
        EXPECT_THAT(error.what(), testing::HasSubstr("a vocabulary of at least 18, which is 10"));
    }
}

}  // namespace
}  // namespace loglog
