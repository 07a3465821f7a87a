#include "engine/base/random.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "engine/base/permutation.hpp"

namespace loglog {
namespace {

// Known answers published with the generator (Random123's kat_vectors, philox4x32 10).
TEST(Philox, GivesItsPublishedKnownAnswers) {
    EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    EXPECT_EQ(philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
              (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, DiffersBySeedStreamGroupAndIndexOnly) {
    std::set<std::uint64_t> seen;
    for (const std::uint64_t seed : {1, 2}) {
        for (const auto stream : {Stream::init, Stream::dropout_attention, Stream::data_order}) {
            for (const std::uint64_t group : {0, 1}) {
                for (std::uint64_t index = 0; index < 3; ++index) {
                    const Random random{Seed{seed}, stream, group};
                    EXPECT_EQ(random.bits(index), (Random{Seed{seed}, stream, group}.bits(index)));
                    seen.insert(random.bits(index));
                }
            }
        }
    }
    EXPECT_EQ(seen.size(), 2u * 3u * 2u * 3u);
}

TEST(Random, IsUniformAndNormalWithinSamplingError) {
    const Random random{Seed{9}, Stream::sampling};
    constexpr int count = 20'000;
    double uniform = 0;
    double normal = 0;
    double squares = 0;
    for (std::uint64_t i = 0; i < count; ++i) {
        uniform += random.uniform(i);
        normal += random.normal(i);
        squares += random.normal(i) * random.normal(i);
        EXPECT_LT(random.below(i, 7), 7u);
    }

    EXPECT_NEAR(uniform / count, 0.5, 5 * std::sqrt(1.0 / 12 / count));
    EXPECT_NEAR(normal / count, 0, 5 / std::sqrt(count));
    EXPECT_NEAR(squares / count, 1, 5 * std::sqrt(2.0 / count));
}

class PermutationSizes : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(PermutationSizes, VisitEveryElementOnce) {
    const KeyedPermutation permutation{GetParam(), Seed{4}, Stream::data_order, 0};
    std::set<std::uint64_t> seen;

    for (std::uint64_t position = 0; position < GetParam(); ++position) {
        const auto element = permutation(position);
        EXPECT_LT(element, GetParam());
        seen.insert(element);
    }

    EXPECT_EQ(seen.size(), GetParam());
}

INSTANTIATE_TEST_SUITE_P(Sizes, PermutationSizes, ::testing::Values(1u, 2u, 3u, 16u, 17u, 1000u, 4097u));

TEST(KeyedPermutation, DiffersBetweenEpochsAndSeeds) {
    const KeyedPermutation a{1000, Seed{4}, Stream::data_order, 0};
    const KeyedPermutation b{1000, Seed{4}, Stream::data_order, 1};
    const KeyedPermutation c{1000, Seed{5}, Stream::data_order, 0};
    int same_epoch = 0;
    int same_seed = 0;

    for (std::uint64_t i = 0; i < 1000; ++i) {
        same_epoch += a(i) == b(i) ? 1 : 0;
        same_seed += a(i) == c(i) ? 1 : 0;
    }

    EXPECT_LT(same_epoch, 10);  // one is expected
    EXPECT_LT(same_seed, 10);
}

}  // namespace
}  // namespace loglog
