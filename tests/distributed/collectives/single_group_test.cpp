#include "distributed/collectives/single_group.hpp"

#include <gmock/gmock.h>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

using testing::ElementsAre;

TEST(SingleGroup, CollectivesKeepOrCopyTheirValues) {
    SingleGroup group;
    std::vector<float> x{1, 2, 3};
    std::vector<float> gathered(3);
    std::vector<float> scattered(3);

    group.all_reduce_sum(std::span{x});
    group.all_reduce_max(std::span{x});
    group.wait(group.start_all_reduce_sum(std::span{x}));
    group.wait(group.start_reduce_sum(x, 0));
    group.wait(group.start_broadcast(x, 0));
    group.all_gather(x, gathered);
    group.reduce_scatter_sum(std::span{x}, scattered);

    EXPECT_THAT(x, ElementsAre(1, 2, 3));
    EXPECT_THAT(gathered, ElementsAre(1, 2, 3));
    EXPECT_THAT(scattered, ElementsAre(1, 2, 3));
}

TEST(SingleGroup, MessagesToItselfArriveInOrderWhicheverSideComesFirst) {
    SingleGroup group;
    const std::vector<float> first{1, 2};
    const std::vector<float> second{3, 4};
    const std::vector<float> third{5, 6};
    std::vector<float> a(2);
    std::vector<float> b(2);
    std::vector<float> c(2);

    group.start_send(0, 1, std::as_bytes(std::span{first}));
    group.start_send(0, 1, std::as_bytes(std::span{second}));
    group.wait(group.start_receive(0, 1, std::as_writable_bytes(std::span{a})));
    group.wait(group.start_receive(0, 1, std::as_writable_bytes(std::span{b})));
    const auto early = group.start_receive(0, 2, std::as_writable_bytes(std::span{c}));
    group.start_send(0, 2, std::as_bytes(std::span{third}));
    group.wait(early);

    EXPECT_THAT(a, ElementsAre(1, 2));
    EXPECT_THAT(b, ElementsAre(3, 4));
    EXPECT_THAT(c, ElementsAre(5, 6));
}

TEST(SingleGroup, RefusesToWaitForAMessageThatNobodySends) {
    SingleGroup group;
    std::vector<float> x(2);

    const auto never = group.start_receive(0, 7, std::as_writable_bytes(std::span{x}));

    EXPECT_THROW(group.wait(never), Error);
    EXPECT_THROW(group.start_send(1, 7, {}), Error);
}

}  // namespace
}  // namespace loglog
