#include "distributed/data_parallel/state_shares.hpp"

#include <gmock/gmock.h>

#include "engine/base/error.hpp"
#include "engine/parallel/counting_group.hpp"

namespace loglog {
namespace {

std::vector<ParameterSpec> specs() {
    const auto spec = [](std::string name, Shape shape) {
        ParameterSpec result;
        result.name = std::move(name);
        result.shape = shape;
        return result;
    };
    return {spec("weight", Shape{100, 512}), spec("bias", Shape{100}), spec("out", Shape{50, 1024})};
}

Parameters without_moments() {
    return Parameters{specs(), Purpose::training, DType::float32, Backing::memory, {}, Moments::elsewhere};
}

TEST(StateShares, HaveEveryValueOnce) {
    auto parameters = without_moments();
    const GradientTiles tiles{parameters};
    for (const int ranks : {2, 3, 4, 8}) {
        std::vector<std::vector<int>> owners(parameters.size());
        for (std::size_t index = 0; index < parameters.size(); ++index) {
            owners[index].resize(parameters.values<float>(ParameterId{index}).size());
        }
        for (int rank = 0; rank < ranks; ++rank) {
            CountingGroup data{rank, ranks};
            const StateShares shares{parameters, tiles, data};
            for (const auto& piece : shares.pieces()) {
                const auto all = parameters.values<float>(piece.parameter);
                const auto first = piece.values.data() - all.data();
                const auto columns = static_cast<std::ptrdiff_t>(piece.values.size()) / piece.rows;
                EXPECT_EQ(first, piece.first_row * columns);
                EXPECT_EQ(piece.gradient.data() - parameters.gradient<float>(piece.parameter).data(), first);
                EXPECT_EQ(piece.first_moment.size(), piece.values.size());
                EXPECT_EQ(piece.second_moment.size(), piece.values.size());
                for (std::size_t i = 0; i < piece.values.size(); ++i) {
                    ++owners[static_cast<std::size_t>(piece.parameter)][static_cast<std::size_t>(first) + i];
                }
            }
            // Fifteen and sixteen tiles are 2 or 3 for each of eight ranks.
            EXPECT_LE(shares.moment_bytes(), 2 * sizeof(float) * (5 + 26 * 4096 / static_cast<std::size_t>(ranks)) +
                                                 4 * 2 * sizeof(float) * 4096);
        }
        for (const auto& of_parameter : owners) { EXPECT_THAT(of_parameter, testing::Each(1)); }
    }
}

TEST(StateShares, UseTheParametersOwnMomentsWhereThereAreAny) {
    Parameters parameters{specs(), Purpose::training};
    const StateShares shares{parameters};

    ASSERT_EQ(shares.pieces().size(), 3u);
    EXPECT_EQ(shares.pieces()[1].first_moment.data(), parameters.first_moment<float>(ParameterId{1}).data());
    EXPECT_EQ(shares.pieces()[2].rows, 50);
    EXPECT_EQ(shares.moment_bytes(), 0u);
}

TEST(StateShares, KeepTheMomentsThatLieElsewhere) {
    auto parameters = without_moments();
    const StateShares shares{parameters};

    EXPECT_GE(shares.moment_bytes(), 2 * parameters.count() * sizeof(float));
    EXPECT_THAT(shares.pieces()[0].second_moment, testing::Each(0.0f));
}

TEST(StateShares, RefuseMomentsThatTheModelHasAlready) {
    Parameters parameters{specs(), Purpose::training};
    const GradientTiles tiles{parameters};
    CountingGroup data{0, 2};

    EXPECT_THROW((StateShares{parameters, tiles, data}), InputError);
}

TEST(StateShares, SendOneMessageForNeighboursOfOneOwner) {
    auto parameters = without_moments();
    const GradientTiles tiles{parameters};
    std::vector<OwnedRange> ranges;
    for (std::size_t index = 0; index < parameters.size(); ++index) {
        const auto id = static_cast<ParameterId>(index);
        append_owned(ranges, tiles.of(id), parameters.values<float>(id), 2);
    }

    // weight of rank 0, of rank 1 with the bias behind it, out of rank 0, of rank 1
    ASSERT_EQ(ranges.size(), 4u);
    EXPECT_EQ(ranges[1].owner, 1);
    EXPECT_EQ(ranges[1].values.data() + ranges[1].values.size(), parameters.values<float>(ParameterId{1}).data() + 100);
}

}  // namespace
}  // namespace loglog
