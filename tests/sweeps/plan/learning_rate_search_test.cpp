#include "sweeps/plan/learning_rate_search.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <map>

namespace loglog {
namespace {

using ::testing::ElementsAre;

constexpr double diverged = std::numeric_limits<double>::infinity();
const std::vector<double> first_rates{1, 2, 4, 8, 16};

RateSearch search(const std::map<double, double>& known) {
    return search_rates(first_rates, [&](double lr) -> std::optional<double> {
        const auto loss = known.find(lr);
        return loss != known.end() ? std::optional{loss->second} : std::nullopt;
    });
}

std::vector<double> rates_of(const RateSearch& search) {
    std::vector<double> rates;
    for (const TriedRate& rate : search.rates) { rates.push_back(rate.lr); }
    return rates;
}

TEST(LearningRateSearch, WaitsUntilEveryRateIsKnown) {
    const RateSearch nothing = search({});
    EXPECT_EQ(rates_of(nothing), first_rates);
    EXPECT_FALSE(nothing.settled);

    EXPECT_FALSE(search({{1, 3.0}, {2, 2.0}, {4, 2.5}, {8, 4.0}}).settled);
}

TEST(LearningRateSearch, TakesTheLeastLossInsideTheBracket) {
    const RateSearch done = search({{1, 3.0}, {2, 2.9}, {4, 2.0}, {8, 2.5}, {16, diverged}});

    EXPECT_TRUE(done.settled);
    EXPECT_TRUE(done.bracketed);
    EXPECT_EQ(done.best_lr, 4);
    EXPECT_EQ(done.extensions, 0);
}

TEST(LearningRateSearch, TakesTheLowerOfTwoEquals) {
    EXPECT_EQ(search({{1, 3.0}, {2, 2.0}, {4, 2.0}, {8, 2.5}, {16, 3.0}}).best_lr, 2);
}

TEST(LearningRateSearch, ExtendsTheBracketOnTheSideOfTheBest) {
    std::map<double, double> known{{1, 1.0}, {2, 2.0}, {4, 3.0}, {8, 4.0}, {16, 5.0}};
    EXPECT_THAT(rates_of(search(known)), ElementsAre(0.5, 1, 2, 4, 8, 16));
    EXPECT_FALSE(search(known).settled);
    known[0.5] = 1.5;
    EXPECT_EQ(search(known).best_lr, 1);
    EXPECT_EQ(search(known).extensions, 1);
    EXPECT_TRUE(search(known).bracketed);

    const std::map<double, double> rising{{1, 5.0}, {2, 4.0}, {4, 3.0}, {8, 2.0}, {16, 1.0}};
    EXPECT_THAT(rates_of(search(rising)), ElementsAre(1, 2, 4, 8, 16, 32));
}

TEST(LearningRateSearch, ExtendsThreeTimesAtMostAndSaysThatTheEdgeIsNotBracketed) {
    const RateSearch done =
        search({{1, 8.0}, {2, 7.0}, {4, 6.0}, {8, 5.0}, {16, 4.0}, {32, 3.0}, {64, 2.0}, {128, 1.0}});

    EXPECT_TRUE(done.settled);
    EXPECT_FALSE(done.bracketed);
    EXPECT_EQ(done.best_lr, 128);
    EXPECT_EQ(done.extensions, 3);
}

TEST(LearningRateSearch, TriesLowerRatesWhereAllDivergedAndGivesUpInTheEnd) {
    std::map<double, double> known;
    for (const double lr : first_rates) { known[lr] = diverged; }
    EXPECT_THAT(rates_of(search(known)), ElementsAre(0.5, 1, 2, 4, 8, 16));
    known[0.5] = diverged;
    known[0.25] = 3.0;  // now the best, and the lowest: one more
    EXPECT_THAT(rates_of(search(known)), ElementsAre(0.125, 0.25, 0.5, 1, 2, 4, 8, 16));
    known[0.125] = 2.0;
    EXPECT_EQ(search(known).best_lr, 0.125);
    known[0.25] = known[0.125] = diverged;

    EXPECT_TRUE(search(known).settled);
    EXPECT_FALSE(search(known).best_lr.has_value());
}

}  // namespace
}  // namespace loglog
