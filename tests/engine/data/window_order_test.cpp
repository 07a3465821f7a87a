#include "engine/data/window_order.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

using ::testing::HasSubstr;

std::vector<std::uint64_t> epoch_of(const WindowOrder& order, std::uint64_t epoch) {
    std::vector<std::uint64_t> windows;
    for (std::uint64_t i = 0; i < order.windows(); ++i) {
        windows.push_back(order.window_at(epoch * order.windows() + i));
    }
    return windows;
}

TEST(WindowOrder, HoldsAsManyWindowsAsHaveTheirTarget) {
    EXPECT_EQ(WindowOrder(9, 4, Seed{1}).windows(), 2u);  // tokens 0..4 and 4..8
    EXPECT_EQ(WindowOrder(8, 4, Seed{1}).windows(), 1u);  // the second window's last target would be token 8
    EXPECT_EQ(WindowOrder(5, 4, Seed{1}).windows(), 1u);
    EXPECT_EQ(WindowOrder(2, 1, Seed{1}).windows(), 1u);
}

TEST(WindowOrder, VisitsEveryWindowOnceInEveryEpoch) {
    for (const std::uint64_t tokens : {6u, 100u, 1'025u, 4'097u, 20'011u}) {
        const WindowOrder order{tokens, 4, Seed{7}};
        for (std::uint64_t epoch = 0; epoch < 3; ++epoch) {
            const auto windows = epoch_of(order, epoch);

            EXPECT_EQ(std::set<std::uint64_t>(windows.begin(), windows.end()).size(), order.windows());
            for (const auto window : windows) { EXPECT_LE((window + 1) * 4 + 1, tokens); }
        }
    }
}

TEST(WindowOrder, DiffersBetweenEpochsAndSeeds) {
    const WindowOrder order{10'000, 8, Seed{7}};

    EXPECT_NE(epoch_of(order, 0), epoch_of(order, 1));
    EXPECT_NE(epoch_of(order, 0), epoch_of(WindowOrder{10'000, 8, Seed{8}}, 0));
    const auto windows = epoch_of(order, 0);
    EXPECT_FALSE(std::is_sorted(windows.begin(), windows.end()));
}

TEST(WindowOrder, ResumesFromAnyPosition) {
    const WindowOrder order{10'000, 8, Seed{7}};
    const auto undisturbed = epoch_of(order, 2);

    const WindowOrder resumed{10'000, 8, Seed{7}};

    const std::uint64_t position = 2 * order.windows() + 137;
    EXPECT_EQ(resumed.window_at(position), undisturbed[137]);
    EXPECT_EQ(resumed.first_token(position), 8 * undisturbed[137]);
    EXPECT_EQ(resumed.epoch(position), 2u);
}

TEST(WindowOrder, RefusesASplitShorterThanOneWindow) {
    try {
        WindowOrder(256, 256, Seed{1});
        FAIL() << "256 tokens were accepted for a context of 256";
    } catch (const InputError& error) {
        EXPECT_THAT(error.what(), HasSubstr("has 256 tokens, but one window of context 256 needs 257"));
    }
    EXPECT_THROW(WindowOrder(256, 0, Seed{1}), InputError);
    EXPECT_THROW(WindowOrder(0, 1, Seed{1}), InputError);
}

}  // namespace
}  // namespace loglog
