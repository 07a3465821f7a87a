#include "distributed/data_parallel/gradient_exchange.hpp"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "engine/base/error.hpp"
#include "tests/distributed/data_parallel/exchange_case.hpp"

namespace loglog {
namespace {

using testing::CaseOptions;
using ::testing::HasSubstr;
using testing::Member;

const auto values_of = [](Parameters& parameters, ParameterId id) { return parameters.values<float>(id); };
const auto gradients_of = [](Parameters& parameters, ParameterId id) { return parameters.gradient<float>(id); };

// How many runs of values differ in any bit.
std::size_t differing_runs(Member& member, Member& lone) {
    std::size_t differing = 0;
    testing::for_each_run(member.model.parameters(), lone.model.parameters(), values_of,
                          [&](const auto&, auto mine, auto reference) {
                              if (!std::ranges::equal(mine, reference)) { ++differing; }
                          });
    return differing;
}

TEST(GradientExchange, WithTreeReductionsGivesTheBitsOfOneRankInEveryLayout) {
    const auto world = Communicator::world();
    constexpr int micro_batches = 8, steps = 3;
    const CaseOptions all{.reduction = Reduction::tree, .leaves = 4, .micro_batches = micro_batches};
    auto lone = testing::lone_member({}, all);
    std::vector<StepTotals> expected;
    for (std::int64_t step = 1; step <= steps; ++step) {
        expected.push_back(testing::made_up_step(lone, static_cast<std::uint64_t>(step)));
        lone.exchange.update({}, 1e-2, step, expected.back().gradient_norm);
    }
    for (const auto& layout : testing::layouts_of(world.size())) {
        for (const int zero : {0, 1}) {
            auto options = all;
            options.micro_batches = micro_batches / layout.dp;
            options.zero = zero;
            Member member{world, layout, options};
            for (std::int64_t step = 1; step <= steps; ++step) {
                const auto totals = testing::made_up_step(member, static_cast<std::uint64_t>(step));
                member.exchange.update({}, 1e-2, step, totals.gradient_norm);

                const auto& wanted = expected[static_cast<std::size_t>(step) - 1];
                EXPECT_EQ(totals.gradient_norm, wanted.gradient_norm) << to_string(layout) << " zero " << zero;
                EXPECT_EQ(totals.loss_sum, wanted.loss_sum) << to_string(layout);
                EXPECT_EQ(totals.small_batches, wanted.small_batches);
                EXPECT_NEAR(totals.small_batch_square, wanted.small_batch_square, 1e-12 * wanted.small_batch_square);
                EXPECT_NEAR(totals.large_batch_square, wanted.large_batch_square, 1e-12 * wanted.large_batch_square);
            }
            EXPECT_EQ(differing_runs(member, lone), 0u) << to_string(layout) << " zero " << zero;
        }
    }
}

CaseOptions with_sharded_state(CaseOptions options) {
    options.zero = 1;
    return options;
}

TEST(GradientExchange, WithFastReductionsAgreesWithOneRankUpToRounding) {
    const auto world = Communicator::world();
    for (const auto& layout : testing::layouts_of(world.size())) {
        const CaseOptions options{.leaves = layout.tp, .micro_batches = 3};
        Member member{world, layout, options};
        Member sharded{world, layout, with_sharded_state(options)};
        auto lone = testing::lone_member(layout, options);

        const auto totals = testing::made_up_step(member, 1);
        const auto expected = testing::made_up_step(lone, 1);

        EXPECT_NEAR(testing::made_up_step(sharded, 1).gradient_norm, expected.gradient_norm,
                    1e-6 * expected.gradient_norm);
        EXPECT_NEAR(totals.gradient_norm, expected.gradient_norm, 1e-6 * expected.gradient_norm) << to_string(layout);
        EXPECT_EQ(totals.loss_sum, expected.loss_sum);
        // A sum of n normal numbers, at most 4 copies of them and 2 uses, has n rounding errors of half an ulp of
        // partial sums below 6 sqrt(n).
        const double terms = 8.0 * 3 * layout.dp;
        const double bound = terms * 0x1p-24 * 6 * std::sqrt(terms);
        double worst = 0;
        testing::for_each_run(member.model.parameters(), lone.model.parameters(), gradients_of,
                              [&](const auto&, auto mine, auto reference) {
                                  for (std::size_t i = 0; i < mine.size(); ++i) {
                                      worst = std::max(worst, std::abs(double{mine[i]} - double{reference[i]}));
                                  }
                              });
        EXPECT_LT(worst, bound) << to_string(layout);
    }
}

TEST(GradientExchange, WithShardedMomentsGivesTheSameBitsAndKeepsOneShareOfThem) {
    const auto world = Communicator::world();
    const Layout layout{.dp = world.size()};
    for (const auto reduction : {Reduction::fast, Reduction::tree}) {
        Member whole{world, layout, {.reduction = reduction, .micro_batches = 2}};
        Member sharded{world, layout, {.reduction = reduction, .micro_batches = 2, .zero = 1}};
        for (std::int64_t step = 1; step <= 3; ++step) {
            for (auto* member : {&whole, &sharded}) {
                const auto totals = testing::made_up_step(*member, static_cast<std::uint64_t>(step));
                member->exchange.update({}, 1e-2, step, totals.gradient_norm);
            }
        }

        EXPECT_TRUE(std::ranges::equal(whole.model.parameters().all_values<float>(),
                                       sharded.model.parameters().all_values<float>()));
        double held = 0, all = 0;
        for (const auto& piece : sharded.exchange.pieces()) { held += static_cast<double>(piece.values.size()); }
        for (const auto& piece : whole.exchange.pieces()) { all += static_cast<double>(piece.values.size()); }
        whole.topology.everyone().all_reduce_sum(std::span{&held, 1});
        EXPECT_EQ(held, all) << "every value has one owner";
    }
}

TEST(GradientExchange, SkipsTheStepOnAllRanksWhenOneOfThemHasANan) {
    const auto world = Communicator::world();
    for (const auto& layout : testing::layouts_of(world.size())) {
        Member member{world, layout, {.leaves = layout.tp, .micro_batches = 2}};
        const auto parameters = [&]() -> Parameters& { return member.model.parameters(); };
        const std::vector<float> before(parameters().all_values<float>().begin(),
                                        parameters().all_values<float>().end());
        const auto slots = gradient_slots(member.model);
        const auto largest = std::ranges::max_element(slots, {}, [](const auto& slot) { return slot.values.size(); });
        member.exchange.begin_step();
        for (int m = 0; m < 2; ++m) {
            for (const auto& slot : slots) { testing::contribute(member.model, slot, m, 1); }
            if (world.rank() == world.size() - 1) {
                largest->collected().front() = std::numeric_limits<float>::quiet_NaN();
            }
            member.exchange.after_micro_batch(0, m);
        }

        const auto totals = member.exchange.finish(std::vector<double>(2), {});
        const auto report = member.exchange.update({}, 1e-2, 1, totals.gradient_norm);

        EXPECT_FALSE(report.applied) << to_string(layout);
        EXPECT_TRUE(std::ranges::equal(before, parameters().all_values<float>())) << to_string(layout);
    }
}

TEST(GradientExchange, TellsAllRanksWhatOneAsksFor) {
    const auto world = Communicator::world();
    Member member{world, {.dp = world.size()}, {}};
    const bool is_last = world.rank() == world.size() - 1;

    const auto stop = testing::made_up_step(member, 1, {.stop = is_last}).requests;
    const auto checkpoint = testing::made_up_step(member, 2, {.checkpoint = is_last}).requests;
    const auto nothing = testing::made_up_step(member, 3).requests;

    EXPECT_TRUE(stop.stop && !stop.checkpoint);
    EXPECT_TRUE(!checkpoint.stop && checkpoint.checkpoint);
    EXPECT_TRUE(!nothing.stop && !nothing.checkpoint);
}

TEST(GradientExchange, TakesTheSquaresOfEachRanksOwnGradient) {
    const auto world = Communicator::world();
    const double ranks = world.size();
    Member member{world, {.dp = world.size()}, {}};
    double small = 0;
    std::vector<double> sums;
    for (int rank = 0; rank < world.size(); ++rank) {
        Member other{Communicator::duplicate(MPI_COMM_SELF), Layout{}, {}};
        std::size_t at = 0;
        for (const auto& slot : gradient_slots(other.model)) {
            testing::contribute(other.model, slot, rank, 1);
            sums.resize(std::max(sums.size(), at + slot.values.size()));
            for (const double g : slot.collected()) {
                small += ranks * g * g;
                sums[at++] += g;
            }
        }
    }
    double large = 0;
    for (const double g : sums) { large += g * g; }

    const auto totals = testing::made_up_step(member, 1);

    EXPECT_EQ(totals.small_batches, ranks);
    EXPECT_NEAR(totals.small_batch_square, ranks == 1 ? 0 : small, 1e-6 * small);
    EXPECT_NEAR(totals.large_batch_square, ranks == 1 ? 0 : large, 1e-6 * large);
}

TEST(GradientExchange, GivesTheSameBitsWithAndWithoutTheNoiseScale) {
    const auto world = Communicator::world();
    const Layout layout{.dp = world.size()};
    Member with{world, layout, {.micro_batches = 2}};
    Member without{world, layout, {.micro_batches = 2, .noise_scale = false}};

    const auto totals = testing::made_up_step(with, 1);
    const auto plain = testing::made_up_step(without, 1);

    EXPECT_EQ(totals.gradient_norm, plain.gradient_norm);
    EXPECT_EQ(plain.small_batch_square, 0);
    EXPECT_TRUE(std::ranges::equal(with.model.parameters().all_gradients<float>(),
                                   without.model.parameters().all_gradients<float>()));
}

TEST(GradientExchange, WithActivationsCutByTokensAddsUpWhatIsHeldWhole) {
    const auto world = Communicator::world();
    if (world.size() > 4) { GTEST_SKIP() << "four heads"; }
    const int ranks = world.size();
    Member member{world, {.tp = ranks}, {.leaves = ranks, .sequence_parallel = ranks > 1}};
    std::vector<std::vector<float>> wanted;
    auto& parameters = member.model.parameters();
    const auto id = parameters.find("blocks.1.mlp_norm.gain");
    std::vector<double> sum(static_cast<std::size_t>(parameters.spec(id).shape.elements()));
    const Random random{Seed{2 * 64}, Stream::init, name_hash("blocks.1.mlp_norm.gain")};
    for (std::size_t i = 0; i < sum.size(); ++i) {
        for (std::size_t rank = 0; rank < static_cast<std::size_t>(ranks); ++rank) {
            sum[i] += static_cast<float>(random.normal(i * 8 + rank));
        }
    }

    testing::made_up_step(member, 1);

    for (std::size_t i = 0; i < sum.size(); ++i) { EXPECT_NEAR(parameters.gradient<float>(id)[i], sum[i], 1e-6); }
}

TEST(GradientExchange, RefusesATreeThatCannotGoOnAcrossRanks) {
    const auto world = Communicator::world();
    const CaseOptions options{.reduction = Reduction::tree, .micro_batches = 3};
    if (world.size() == 1) {
        EXPECT_NO_THROW((Member{world, Layout{}, options}));
        return;
    }
    try {
        const Member member{world, {.dp = world.size()}, options};
        FAIL() << "constructed";
    } catch (const InputError& error) {
        EXPECT_THAT(error.what(), HasSubstr("micro_batches must be a power of two but is 3"));
    }
}

TEST(GradientExchange, CountsMomentsAndBuffers) {
    const auto world = Communicator::world();
    const Layout layout{.dp = world.size()};
    const Member fast{world, layout, {.micro_batches = 4}};
    const Member tree{world, layout, {.reduction = Reduction::tree, .micro_batches = 4}};
    const Member sharded{world, layout, {.micro_batches = 4, .zero = 1}};
    const auto& parameters = fast.model.parameters();

    EXPECT_GT(fast.exchange.memory_bytes(), parameters.moment_bytes());
    EXPECT_LT(fast.exchange.memory_bytes(), parameters.moment_bytes() + parameters.value_bytes());
    EXPECT_GE(tree.exchange.memory_bytes(), parameters.moment_bytes() + 2 * parameters.value_bytes());
    if (world.size() > 1) { EXPECT_LT(sharded.exchange.memory_bytes(), fast.exchange.memory_bytes()); }
}

}  // namespace
}  // namespace loglog
