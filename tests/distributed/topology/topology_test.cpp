#include "distributed/topology/topology.hpp"

#include <gmock/gmock.h>

#include <vector>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

using testing::ElementsAreArray;

/// World ranks of a group's members, in its order.
std::vector<int> members(Group& group, int world_rank) {
    const std::vector<double> mine{static_cast<double>(world_rank)};
    std::vector<double> all(static_cast<std::size_t>(group.size()));
    group.all_gather(mine, all);
    return {all.begin(), all.end()};
}

TEST(Topology, GroupsOfEveryLayoutHoldTheRanksOfTheirAxis) {
    const auto world = Communicator::world();
    for (int dp = 1; dp <= world.size(); ++dp) {
        for (int tp = 1; dp * tp <= world.size(); ++tp) {
            if (world.size() % (dp * tp) != 0) { continue; }
            const Layout layout{.dp = dp, .tp = tp, .pp = world.size() / (dp * tp)};
            const Topology topology{world, layout, Reduction::fast};
            const Place place = topology.place();
            std::vector<int> tensor;
            std::vector<int> data;
            std::vector<int> pipeline;
            std::vector<int> everyone;
            for (int rank = 0; rank < world.size(); ++rank) {
                const Place other = place_of(layout, rank);
                everyone.push_back(rank);
                if (other.dp == place.dp && other.pp == place.pp) { tensor.push_back(rank); }
                if (other.tp == place.tp && other.pp == place.pp) { data.push_back(rank); }
                if (other.dp == place.dp && other.tp == place.tp) { pipeline.push_back(rank); }
            }
            const bool at_an_end = layout.pp > 1 && (topology.first_stage() || topology.last_stage());
            const auto ends = at_an_end ? std::vector{pipeline.front(), pipeline.back()} : std::vector{world.rank()};

            EXPECT_THAT(members(topology.everyone(), world.rank()), ElementsAreArray(everyone));
            EXPECT_THAT(members(topology.tensor(), world.rank()), ElementsAreArray(tensor)) << to_string(layout);
            EXPECT_THAT(members(topology.data(), world.rank()), ElementsAreArray(data)) << to_string(layout);
            EXPECT_THAT(members(topology.pipeline(), world.rank()), ElementsAreArray(pipeline)) << to_string(layout);
            EXPECT_THAT(members(topology.ends(), world.rank()), ElementsAreArray(ends)) << to_string(layout);
            EXPECT_EQ(topology.tensor().rank(), place.tp);
            EXPECT_EQ(topology.data().rank(), place.dp);
            EXPECT_EQ(topology.pipeline().rank(), place.pp);
        }
    }
}

TEST(Topology, SumsUnderWayInOneGroupGoOnWhileAnotherIsWaitedFor) {
    const auto world = Communicator::world();
    if (world.size() != 4) { return; }
    const Topology topology{world, {.dp = 2, .tp = 2, .pp = 1}, Reduction::tree};
    std::vector<float> gradient(600'000, static_cast<float>(topology.place().dp));
    std::vector<float> activation(600'000, static_cast<float>(topology.place().tp));

    const auto transfer = topology.data().start_all_reduce_sum(gradient);
    // Each rank waits for one that waits for the next in another group, in a circle.
    if (topology.place().tp == topology.place().dp) { topology.data().wait(transfer); }
    topology.tensor().all_reduce_sum(std::span{activation});
    topology.data().wait(transfer);

    EXPECT_EQ(gradient, std::vector<float>(600'000, 1.0F));
    EXPECT_EQ(activation, std::vector<float>(600'000, 1.0F));
    EXPECT_EQ(topology.bytes_sent(), 2 * 2'400'000);
}

TEST(Topology, RefusesALayoutOfOtherSize) {
    const auto world = Communicator::world();
    try {
        const Topology topology{world, {.dp = world.size(), .tp = 3, .pp = 1}, Reduction::fast};
        FAIL();
    } catch (const Error& error) { EXPECT_THAT(error.what(), testing::HasSubstr("but the run has")); }
}

TEST(Topology, OfALoneProcessHasGroupsOfOne) {
    const Topology topology;

    EXPECT_TRUE(topology.is_alone());
    EXPECT_TRUE(topology.first_stage() && topology.last_stage());
    EXPECT_EQ(topology.communicator(), nullptr);
    for (const Group* group :
         {&topology.everyone(), &topology.tensor(), &topology.data(), &topology.pipeline(), &topology.ends()}) {
        EXPECT_EQ(group->size(), 1);
    }
    EXPECT_EQ(topology.bytes_sent(), 0);
}

}  // namespace
}  // namespace loglog
