#include "distributed/collectives/mpi_group.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

/// gmock's Each() takes seconds for long vectors.
template <class T>
bool all_equal(const std::vector<T>& values, double expected) {
    return std::ranges::all_of(values, [&](T value) { return value == expected; });
}

/// What rank `rank` gives: values of very different sizes, so that the order of a sum shows in its bits.
template <class T>
std::vector<T> values_of(int rank, std::size_t size) {
    std::mt19937 random{static_cast<unsigned>(rank) + 1};
    std::vector<T> values(size);
    for (T& value : values) {
        value = static_cast<T>(std::ldexp(static_cast<double>(random()) - 2e9, static_cast<int>(random() % 24)));
    }
    return values;
}

/// Neighbours of equal weight join; at the end the last two join until one is left.
template <class T>
std::vector<T> tree_sum(int ranks, std::size_t size) {
    std::vector<std::pair<int, std::vector<T>>> open;
    const auto join = [&] {
        auto [weight, right] = std::move(open.back());
        open.pop_back();
        open.back().first += weight;
        for (std::size_t i = 0; i < size; ++i) { open.back().second[i] += right[i]; }
    };
    for (int rank = 0; rank < ranks; ++rank) {
        open.emplace_back(1, values_of<T>(rank, size));
        while (open.size() > 1 && open[open.size() - 2].first == open.back().first) { join(); }
    }
    while (open.size() > 1) { join(); }
    return open.front().second;
}

template <class T>
bool same_bits(std::span<const T> a, std::span<const T> b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

std::unique_ptr<MeteredGroup> world(Reduction reduction) {
    return make_group(Communicator::world(), reduction, "test");
}

class AnyReduction : public testing::TestWithParam<std::tuple<Reduction, std::size_t>> {
  protected:
    Reduction reduction = std::get<0>(GetParam());
    std::size_t size = std::get<1>(GetParam());
    std::unique_ptr<MeteredGroup> group = world(reduction);
    int ranks = group->size();
    int rank = group->rank();
};

INSTANTIATE_TEST_SUITE_P(Sizes, AnyReduction,
                         testing::Combine(testing::Values(Reduction::fast, Reduction::tree),
                                          testing::Values(0U, 1U, 7U, 4097U, 600'000U)));

TEST_P(AnyReduction, SumsAndLargestValuesReachEveryRank) {
    std::vector<float> sum(size, static_cast<float>(rank + 1));
    std::vector<double> sum_double(size, rank + 1);
    std::vector<float> largest(size, static_cast<float>(-rank));
    std::vector<double> largest_double(size, rank);

    group->all_reduce_sum(std::span{sum});
    group->all_reduce_sum(std::span{sum_double});
    group->all_reduce_max(std::span{largest});
    group->all_reduce_max(std::span{largest_double});

    EXPECT_TRUE(all_equal(sum, static_cast<float>(ranks * (ranks + 1) / 2)));
    EXPECT_TRUE(all_equal(sum_double, ranks * (ranks + 1) / 2));
    EXPECT_TRUE(all_equal(largest, 0.0F));
    EXPECT_TRUE(all_equal(largest_double, ranks - 1));
}

TEST_P(AnyReduction, EveryRankHasTheSameBits) {
    auto x = values_of<float>(rank, size);
    group->all_reduce_sum(std::span{x});
    std::vector<float> all(size * static_cast<std::size_t>(ranks));
    group->all_gather(x, all);

    for (int other = 0; other < ranks; ++other) {
        EXPECT_TRUE(same_bits<float>(std::span{all}.subspan(static_cast<std::size_t>(other) * size, size), x));
    }
}

TEST_P(AnyReduction, GathersAndScattersInRankOrder) {
    const std::vector<float> mine(size, static_cast<float>(rank));
    std::vector<float> all(size * static_cast<std::size_t>(ranks));
    group->all_gather(mine, all);
    std::vector<double> part(size);
    std::vector<double> parts(size * static_cast<std::size_t>(ranks));
    for (std::size_t i = 0; i < parts.size(); ++i) { parts[i] = static_cast<double>(i) + rank; }
    group->reduce_scatter_sum(std::span{parts}, part);

    for (std::size_t i = 0; i < all.size(); ++i) { ASSERT_EQ(all[i], static_cast<float>(i / size)); }
    for (std::size_t i = 0; i < part.size(); ++i) {
        const auto index = static_cast<double>(static_cast<std::size_t>(rank) * size + i);
        ASSERT_EQ(part[i], ranks * index + ranks * (ranks - 1) / 2.0);
    }
}

TEST_P(AnyReduction, SeveralTransfersGoOnAtOnceAndEndInAnyOrder) {
    std::vector<std::vector<float>> sums;
    std::vector<std::vector<float>> rooted;
    std::vector<Transfer> transfers;
    std::vector<double> other(size, 0.5);
    for (int root = 0; root < ranks; ++root) {
        sums.emplace_back(size, static_cast<float>(rank + root));
        rooted.emplace_back(size, static_cast<float>(rank + 1));
    }
    std::vector<float> sent(size, rank == 0 ? 3.0F : 0.0F);

    for (int root = 0; root < ranks; ++root) {
        const auto i = static_cast<std::size_t>(root);
        transfers.push_back(group->start_all_reduce_sum(std::span{sums[i]}));
        transfers.push_back(group->start_reduce_sum(rooted[i], root));
        group->progress();
    }
    transfers.push_back(group->start_broadcast(sent, 0));
    group->all_reduce_sum(std::span{other});
    for (auto transfer = transfers.rbegin(); transfer != transfers.rend(); ++transfer) { group->wait(*transfer); }

    for (int root = 0; root < ranks; ++root) {
        const auto i = static_cast<std::size_t>(root);
        EXPECT_TRUE(all_equal(sums[i], static_cast<float>(ranks * (ranks - 1) / 2 + ranks * root)));
        if (root == rank) { EXPECT_TRUE(all_equal(rooted[i], static_cast<float>(ranks * (ranks + 1) / 2))); }
    }
    EXPECT_TRUE(all_equal(sent, 3.0F));
    EXPECT_TRUE(all_equal(other, 0.5 * ranks));
}

TEST_P(AnyReduction, MessagesOfOneSenderAndTagArriveInOrder) {
    const int to = (rank + 1) % ranks;
    const int from = (rank + ranks - 1) % ranks;
    std::vector<std::vector<float>> sent;
    std::vector<std::vector<float>> received;
    std::vector<Transfer> transfers;
    for (int i = 0; i < 4; ++i) {
        sent.emplace_back(size, static_cast<float>(10 * rank + i));
        received.emplace_back(size);
    }

    for (std::size_t i = 0; i < 4; ++i) {
        transfers.push_back(group->start_receive(from, 3, std::as_writable_bytes(std::span{received[i]})));
        transfers.push_back(group->start_send(to, 3, std::as_bytes(std::span{sent[i]})));
    }
    for (const Transfer transfer : transfers) { group->wait(transfer); }

    for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_TRUE(all_equal(received[i], static_cast<float>(10 * from) + static_cast<float>(i)));
    }
}

class TreeSum : public testing::TestWithParam<std::size_t> {
  protected:
    std::size_t size = GetParam();
};

INSTANTIATE_TEST_SUITE_P(Sizes, TreeSum, testing::Values(1U, 4097U, 300'001U));

/// The first `members` ranks of the world; nothing on the others.
std::unique_ptr<MeteredGroup> first_ranks(const Communicator& world, int members) {
    std::vector<int> ranks(static_cast<std::size_t>(members));
    for (int rank = 0; rank < members; ++rank) { ranks[static_cast<std::size_t>(rank)] = rank; }
    if (world.rank() >= members) { return nullptr; }
    return make_group(world.create_group(ranks, members), Reduction::tree, "test");
}

TEST_P(TreeSum, HasTheBitsOfThePairwiseTreeForEveryNumberOfRanks) {
    const auto world = Communicator::world();
    for (int members = 1; members <= world.size(); ++members) {
        const auto group = first_ranks(world, members);
        if (!group) { continue; }
        const int root = members - 1;
        auto everywhere = values_of<float>(group->rank(), size);
        auto in_double = values_of<double>(group->rank(), size);
        auto at_root = values_of<float>(group->rank(), size);
        std::vector<float> parts;
        for (int part = 0; part < members; ++part) {
            const auto values = values_of<float>(group->rank(), size);
            parts.insert(parts.end(), values.begin(), values.end());
        }
        std::vector<float> mine(size);

        group->all_reduce_sum(std::span{everywhere});
        group->all_reduce_sum(std::span{in_double});
        group->wait(group->start_reduce_sum(at_root, root));
        group->reduce_scatter_sum(std::span{parts}, mine);

        const auto expected = tree_sum<float>(members, size);
        EXPECT_TRUE(same_bits<float>(everywhere, expected)) << members;
        EXPECT_TRUE(same_bits<double>(in_double, tree_sum<double>(members, size))) << members;
        EXPECT_TRUE(same_bits<float>(mine, expected)) << members;
        if (group->rank() == root) { EXPECT_TRUE(same_bits<float>(at_root, expected)) << members; }
    }
}

TEST(MpiGroup, NanIsTheLargestValueOnEveryRank) {
    for (const auto reduction : {Reduction::fast, Reduction::tree}) {
        const auto group = world(reduction);
        std::vector<double> x{1.0, static_cast<double>(group->rank())};
        if (group->rank() == group->size() - 1) { x[0] = std::numeric_limits<double>::quiet_NaN(); }

        group->all_reduce_max(std::span{x});

        EXPECT_TRUE(std::isnan(x[0]));
        EXPECT_EQ(x[1], group->size() - 1);
    }
}

TEST(MpiGroup, CountsWhatARingWouldSendAndMessagesAsTheyAre) {
    const auto group = world(Reduction::fast);
    const double ranks = group->size();
    std::vector<float> x(1000);
    std::vector<float> received(10);

    group->all_reduce_sum(std::span{x});
    const int next = (group->rank() + 1) % group->size();
    const int previous = (group->rank() + group->size() - 1) % group->size();
    const auto receive = group->start_receive(previous, 1, std::as_writable_bytes(std::span{received}));
    group->wait(group->start_send(next, 1, std::as_bytes(std::span{x}.first(10))));
    group->wait(receive);

    EXPECT_DOUBLE_EQ(group->bytes_sent(), ranks == 1 ? 0 : 2 * (ranks - 1) / ranks * 4000 + 40);
}

TEST(MpiGroup, SaysWhichRankOrTagCannotBe) {
    MpiGroup group{Communicator::world(), Reduction::fast, "tensor", std::make_shared<Transfers>(nullptr)};
    const auto message_of = [&](int to, int tag) -> std::string {
        try {
            group.start_send(to, tag, {});
        } catch (const Error& error) { return error.what(); }
        return "sent";
    };

    EXPECT_THAT(message_of(group.size(), 1), testing::HasSubstr("cannot send in the tensor group: rank"));
    EXPECT_THAT(message_of(0, MpiGroup::tag_limit), testing::HasSubstr("tag 16384 of 16384"));
}

TEST(MpiGroup, TellsTheLogWhatItWaitsFor) {
    OperationLog log;
    const auto group = make_group(Communicator::world(), Reduction::tree, "tensor", &log);
    std::vector<float> x(100'000);

    group->all_reduce_sum(std::span{x});

    const auto last = log.last();
    if (group->size() > 1) { EXPECT_EQ(last.operation, "all-reduce of 400000 bytes in the tensor group"); }
    EXPECT_FALSE(last.waiting);
}

}  // namespace
}  // namespace loglog
