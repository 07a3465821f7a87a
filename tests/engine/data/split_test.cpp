#include "engine/data/split.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint64_t tenth = ~std::uint64_t{0} / 10;

std::vector<ContentHash> hashes_of_numbers(int count) {
    std::vector<ContentHash> hashes;
    for (int i = 0; i < count; ++i) { hashes.push_back(content_hash("document " + std::to_string(i))); }
    std::sort(hashes.begin(), hashes.end());
    return hashes;
}

TEST(AssignSplits, CutsTheRangeOfHashes) {
    const std::vector<ContentHash> hashes{
        {tenth / 2, 0}, {tenth - 1, 9}, {tenth + tenth / 2, 0}, {3 * tenth, 0}, {9 * tenth, 0}};

    EXPECT_THAT(assign_splits(hashes, {.validation = 0.1, .test = 0.1}),
                ElementsAre(Split::validation, Split::validation, Split::test, Split::train, Split::train));
}

TEST(AssignSplits, KeepsTheSharesAskedFor) {
    const auto splits = assign_splits(hashes_of_numbers(20'000), {.validation = 0.05, .test = 0.02});

    const auto share = [&](Split split) { return std::count(splits.begin(), splits.end(), split) / 20'000.0; };
    // Five standard deviations of a binomial share.
    EXPECT_NEAR(share(Split::validation), 0.05, 5 * std::sqrt(0.05 * 0.95 / 20'000));
    EXPECT_NEAR(share(Split::test), 0.02, 5 * std::sqrt(0.02 * 0.98 / 20'000));
}

TEST(AssignSplits, LeavesADocumentWhereItIsWhenTheCorpusGrows) {
    const auto few = hashes_of_numbers(1'000);
    const auto many = hashes_of_numbers(3'000);
    const SplitFractions fractions{.validation = 0.1, .test = 0.1};
    const auto splits_of_few = assign_splits(few, fractions);
    const auto splits_of_many = assign_splits(many, fractions);

    for (std::size_t i = 0; i < few.size(); ++i) {
        const auto place = std::lower_bound(many.begin(), many.end(), few[i]) - many.begin();
        EXPECT_EQ(splits_of_few[i], splits_of_many[static_cast<std::size_t>(place)]);
    }
}

TEST(AssignSplits, GivesAnEmptySplitTheTrainingDocumentOfTheSmallestHash) {
    const std::vector<ContentHash> hashes{{5 * tenth, 0}, {6 * tenth, 0}, {7 * tenth, 0}};

    EXPECT_THAT(assign_splits(hashes, {.validation = 0.1, .test = 0.1}),
                ElementsAre(Split::validation, Split::test, Split::train));
    EXPECT_THAT(assign_splits(hashes, {.validation = 0.1, .test = 0.0}),
                ElementsAre(Split::validation, Split::train, Split::train));
    EXPECT_THAT(assign_splits(std::span{hashes}.first(1), {.validation = 0.1, .test = 0.1}), ElementsAre(Split::train));
    EXPECT_THAT(assign_splits({}, {}), ElementsAre());
}

TEST(AssignSplits, KeepsSomethingToTrainOn) {
    const std::vector<ContentHash> hashes{{tenth / 2, 0}, {tenth / 2, 1}};

    EXPECT_THAT(assign_splits(hashes, {.validation = 0.1, .test = 0.0}), ::testing::Contains(Split::train));
}

TEST(SplitFractions, AreCheckedWithTheirNames) {
    const auto complaint = [](SplitFractions fractions) -> std::string {
        try {
            validate(fractions);
        } catch (const InputError& error) { return error.what(); }
        return "";
    };
    EXPECT_THAT(complaint({.validation = -0.1}), HasSubstr("the validation fraction is -0.1"));
    EXPECT_THAT(complaint({.validation = 0.0, .test = 1.0}), HasSubstr("the test fraction is 1.0"));
    EXPECT_THAT(complaint({.validation = 0.5, .test = 0.5}), HasSubstr("leaves nothing to train on"));
    EXPECT_THAT(complaint({.validation = std::nan("")}), HasSubstr("nan"));
    EXPECT_EQ(complaint({}), "");
}

}  // namespace
}  // namespace loglog
