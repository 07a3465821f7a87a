#include "distributed/mpi/communicator.hpp"

#include <gmock/gmock.h>

#include <cstring>
#include <thread>

#include "distributed/mpi/error.hpp"

namespace loglog {
namespace {

static_assert(!std::is_copy_constructible_v<Communicator> && std::is_nothrow_move_constructible_v<CommHandle>);

TEST(Communicator, EveryRankReceivesFromItsNeighbourAndItself) {
    const auto world = Communicator::world();
    const int next = (world.rank() + 1) % world.size();
    const auto bytes = std::as_bytes(std::span{"hello", 5});

    std::vector<Communicator::Received> received;
    std::thread receiver{[&] {
        while (received.size() < 2) {
            if (auto message = world.try_receive(7)) { received.push_back(std::move(*message)); }
        }
    }};
    world.send(next, 7, bytes);
    world.send(world.rank(), 7, bytes);
    receiver.join();

    std::vector<int> sources;
    for (const auto& [from, message] : received) {
        sources.push_back(from);
        EXPECT_EQ(std::memcmp(message.data(), "hello", 5), 0);
    }
    EXPECT_THAT(sources, testing::UnorderedElementsAre(world.rank(), (world.rank() + world.size() - 1) % world.size()));
}

TEST(Communicator, NothingIsReceivedWhenNothingWasSent) {
    const auto world = Communicator::world();

    EXPECT_FALSE(world.try_receive(8));
}

TEST(Communicator, ASendToARankThatIsNotThereThrowsWithTheReason) {
    const auto world = Communicator::world();

    try {
        world.send(world.size(), 7, {});
        FAIL() << "sent";
    } catch (const MpiError& error) {
        EXPECT_THAT(error.what(), testing::HasSubstr("send 0 bytes to rank " + std::to_string(world.size())));
        EXPECT_THAT(error.what(), testing::HasSubstr("invalid rank"));
    }
}

TEST(Communicator, AllRanksOfATestShareThisHost) {
    const auto world = Communicator::world();

    EXPECT_EQ(world.ranks_on_this_host(), world.size());
}

}  // namespace
}  // namespace loglog
