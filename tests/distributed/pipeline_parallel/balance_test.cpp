#include "distributed/pipeline_parallel/balance.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/base/random.hpp"

namespace loglog {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Costs = std::vector<double>;

TEST(BalanceLayers, CutsEqualLayersEvenly) {
    EXPECT_THAT(balance_layers(Costs(8, 1.0), 4, 0, 0),
                ElementsAre(LayerRange{0, 2}, LayerRange{2, 4}, LayerRange{4, 6}, LayerRange{6, 8}));
}

TEST(BalanceLayers, GivesOnePieceEverything) {
    EXPECT_THAT(balance_layers(Costs(3, 1.0), 1, 5, 7), ElementsAre(LayerRange{0, 3}));
}

TEST(BalanceLayers, GivesThePieceWithTheHeadFewerLayers) {
    // The head is worth two layers: 3, 3, 1 + 2 rather than 3, 2, 2 + 2.
    EXPECT_THAT(balance_layers(Costs(7, 1.0), 3, 0, 2),
                ElementsAre(LayerRange{0, 3}, LayerRange{3, 6}, LayerRange{6, 7}));
}

TEST(BalanceLayers, GivesThePieceWithTheEmbeddingFewerLayers) {
    EXPECT_THAT(balance_layers(Costs(5, 1.0), 2, 3, 0), ElementsAre(LayerRange{0, 1}, LayerRange{1, 5}));
}

TEST(BalanceLayers, CutsUnevenLayersAroundTheDearOne) {
    EXPECT_THAT(balance_layers(Costs{1, 1, 1, 9, 1, 1}, 3, 0, 0),
                ElementsAre(LayerRange{0, 3}, LayerRange{3, 4}, LayerRange{4, 6}));
}

TEST(BalanceLayers, TakesTheMostEvenOfEquallyGoodCuts) {
    // The first layer alone costs the most; the rest could as well be cut into 1 and 3.
    EXPECT_THAT(balance_layers(Costs{4, 1, 1, 1, 1}, 3, 0, 0),
                ElementsAre(LayerRange{0, 1}, LayerRange{1, 3}, LayerRange{3, 5}));
}

/// The least possible cost of the dearest piece, by trying every cut.
double least_by_trial(std::span<const double> costs, int pieces, double first_extra, double last_extra) {
    double best = 1e300;
    for (std::size_t first = 1; first + static_cast<std::size_t>(pieces) <= costs.size() + 1; ++first) {
        double piece = first_extra;
        for (std::size_t i = 0; i < first; ++i) { piece += costs[i]; }
        if (pieces == 1) {
            if (first == costs.size()) { best = std::min(best, piece + last_extra); }
            continue;
        }
        best = std::min(best, std::max(piece, least_by_trial(costs.subspan(first), pieces - 1, 0, last_extra)));
    }
    return best;
}

TEST(BalanceLayers, FindsTheBestOfAllCuts) {
    const Random random{Seed{11}, Stream::synthetic_data};
    std::uint64_t draws = 0;
    for (int round = 0; round < 60; ++round) {
        Costs costs(4 + round % 6);
        for (auto& cost : costs) { cost = 1 + static_cast<double>(random.below(draws++, 20)); }
        const double first_extra = static_cast<double>(random.below(draws++, 10));
        const double last_extra = static_cast<double>(random.below(draws++, 30));
        const int pieces = 1 + round % 4;

        const auto ranges = balance_layers(costs, pieces, first_extra, last_extra);

        double most = 0;
        std::int64_t next = 0;
        for (const auto& range : ranges) {
            EXPECT_EQ(range.first, next);
            EXPECT_GE(range.count(), 1);
            double piece = (range.first == 0 ? first_extra : 0) + (&range == &ranges.back() ? last_extra : 0);
            for (auto layer = range.first; layer < range.last; ++layer) {
                piece += costs[static_cast<std::size_t>(layer)];
            }
            most = std::max(most, piece);
            next = range.last;
        }
        EXPECT_EQ(ranges.size(), static_cast<std::size_t>(pieces));
        EXPECT_EQ(next, static_cast<std::int64_t>(costs.size()));
        EXPECT_EQ(most, least_by_trial(costs, pieces, first_extra, last_extra));  // small integers: exact
    }
}

TEST(BalanceLayers, RejectsMorePiecesThanLayers) {
    try {
        balance_layers(Costs(3, 1.0), 4, 0, 0);
        FAIL();
    } catch (const InputError& error) {
        EXPECT_THAT(error.what(), HasSubstr("3 layers cannot be cut in 4 pieces"));
        EXPECT_THAT(error.what(), HasSubstr("layout.pp"));
    }
}

TEST(ChunksOfStage, TakesEveryStagesthPiece) {
    const auto pieces = balance_layers(Costs(8, 1.0), 8, 0, 0);

    EXPECT_THAT(chunks_of_stage(pieces, 4, 1), ElementsAre(LayerRange{1, 2}, LayerRange{5, 6}));
    EXPECT_THAT(chunks_of_stage(pieces, 8, 7), ElementsAre(LayerRange{7, 8}));
}

}  // namespace
}  // namespace loglog
