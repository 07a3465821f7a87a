#include <gmock/gmock.h>

#include <cmath>

#include "distributed/pipeline_parallel/pipeline_stage.hpp"
#include "tests/distributed/data_parallel/exchange_case.hpp"
#include "tests/support/decoder_case.hpp"

namespace loglog {
namespace {

using testing::CaseOptions;
using testing::Member;

constexpr std::int64_t sequences = 16, time = 8;  // of the global batch

struct Curve {
    std::vector<double> losses;
    std::vector<double> norms;
};

// Real forward and backward passes over one batch, as a run does them.
Curve train(Member& member, PipelineSchedule schedule, int steps) {
    const testing::TokenCase data{sequences, time, member.model.config().vocab};
    const int all = member.options.micro_batches * member.topology.layout().dp;
    const std::int64_t each = sequences / all;
    PipelineStage stage{member.context, member.model, member.topology.pipeline(), schedule};
    std::vector<TokenBatch> batches;
    std::vector<StepInfo> infos;
    for (int m = 0; m < member.options.micro_batches; ++m) {
        const auto first = (member.first_micro_batch() + m) * each;
        batches.push_back(data.part(first, each));
        infos.push_back({.seed = Seed{3},
                         .first_sequence = static_cast<std::uint64_t>(first),
                         .gradient_scale = 1.0 / (sequences * time)});
    }
    infos.back().listener = member.exchange.listener();
    Curve curve;
    for (int step = 1; step <= steps; ++step) {
        for (auto& info : infos) { info.step = static_cast<std::uint64_t>(step); }
        member.exchange.begin_step();
        const auto losses = stage.train(batches, infos, [&](int chunk, int micro_batch, PipelineOp done) {
            member.exchange.after_micro_batch(chunk, micro_batch, done);
        });
        std::vector<double> sums;
        for (const auto& loss : losses) { sums.push_back(loss.sum); }
        const auto totals = member.exchange.finish(sums, {});
        member.exchange.update({}, 1e-2, step, totals.gradient_norm);
        curve.losses.push_back(totals.loss_sum);
        curve.norms.push_back(totals.gradient_norm);
    }
    return curve;
}

DecoderConfig dropping_config() {
    auto config = testing::exchange_config();
    config.dropout = 0.1;
    return config;
}

int chunks_of(PipelineSchedule schedule, const Layout& layout) {
    return layout.pp == 1 ? 1 : chunks_per_stage(schedule);
}

bool can_run(PipelineSchedule schedule, const Layout& layout, const CaseOptions& options) {
    if (schedule == PipelineSchedule::interleaved && options.micro_batches % layout.pp != 0) { return false; }
    return options.micro_batches >= layout.pp && layout.pp * options.chunks <= 4;
}

TEST(Training, WithTreeReductionsGivesTheBitsOfOneRankInEveryLayout) {
    const auto world = Communicator::world();
    const CaseOptions all{.reduction = Reduction::tree, .leaves = 4, .micro_batches = 8, .zero = 1};
    auto lone = testing::lone_member({}, all, dropping_config());
    const auto expected = train(lone, PipelineSchedule::one_f_one_b, 3);
    for (const auto& layout : testing::layouts_of(world.size())) {
        for (const auto schedule : {PipelineSchedule::gpipe, PipelineSchedule::one_f_one_b,
                                    PipelineSchedule::interleaved, PipelineSchedule::zb_h1}) {
            auto options = all;
            options.micro_batches = 8 / layout.dp;
            options.chunks = chunks_of(schedule, layout);
            if (!can_run(schedule, layout, options)) { continue; }
            Member member{world, layout, options, dropping_config()};

            const auto curve = train(member, schedule, 3);

            EXPECT_EQ(curve.losses, expected.losses) << to_string(layout);
            EXPECT_EQ(curve.norms, expected.norms) << to_string(layout);
            std::size_t differing = 0;
            testing::for_each_run(
                member.model.parameters(), lone.model.parameters(),
                [](Parameters& parameters, ParameterId id) { return parameters.values<float>(id); },
                [&](const auto&, auto mine, auto reference) {
                    differing += std::ranges::equal(mine, reference) ? 0 : 1;
                });
            EXPECT_EQ(differing, 0u) << to_string(layout);
        }
    }
}

TEST(Training, WithFastReductionsAgreesWithOneRankUpToRoundingUnderEverySchedule) {
    const auto world = Communicator::world();
    for (const auto& layout : testing::layouts_of(world.size())) {
        Member lone{Communicator::duplicate(MPI_COMM_SELF), Layout{}, {.micro_batches = 8}, dropping_config()};
        const auto expected = train(lone, PipelineSchedule::one_f_one_b, 3);
        for (const auto schedule : {PipelineSchedule::gpipe, PipelineSchedule::one_f_one_b,
                                    PipelineSchedule::interleaved, PipelineSchedule::zb_h1}) {
            const CaseOptions options{.leaves = layout.tp,
                                      .micro_batches = 8 / layout.dp,
                                      .zero = schedule == PipelineSchedule::zb_h1 ? 1 : 0,
                                      .sequence_parallel = layout.tp > 1 && schedule != PipelineSchedule::gpipe,
                                      .chunks = chunks_of(schedule, layout)};
            if (!can_run(schedule, layout, options)) { continue; }
            Member member{world, layout, options, dropping_config()};

            const auto curve = train(member, schedule, 3);

            for (std::size_t step = 0; step < 3; ++step) {
                EXPECT_NEAR(curve.losses[step], expected.losses[step], 1e-5 * expected.losses[step])
                    << to_string(layout) << " step " << step;
                EXPECT_NEAR(curve.norms[step], expected.norms[step], 1e-4 * expected.norms[step]);
            }
            EXPECT_NEAR(curve.norms[0], expected.norms[0], 1e-5 * expected.norms[0]) << to_string(layout);
        }
    }
}

}  // namespace
}  // namespace loglog
