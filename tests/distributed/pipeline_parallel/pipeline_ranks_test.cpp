#include <gmock/gmock.h>

#include "distributed/collectives/mpi_group.hpp"
#include "distributed/pipeline_parallel/pipeline_stage.hpp"
#include "distributed/topology/topology.hpp"
#include "tests/distributed/pipeline_parallel/pipeline_case.hpp"

namespace loglog::testing {
namespace {

using ::testing::IsEmpty;

class PipelineRanks : public ::testing::TestWithParam<PipelineSchedule> {
  protected:
    Decoder model_of(const DecoderConfig& config) const {
        return Decoder{config, Purpose::training, DType::float32, Backing::memory,
                       part_of(config, GetParam(), pipeline_->size(), pipeline_->rank(), 1.5)};
    }

    std::unique_ptr<MeteredGroup> pipeline_ = make_group(Communicator::world(), Reduction::fast, "pipeline");
    Context context_{CpuContext{1}};
};

TEST_P(PipelineRanks, GiveThePlainLoopsBits) {
    const PipelineCase test_case;
    auto model = model_of(test_case.config);
    model.initialize(Seed{7});
    PipelineStage stage{context_, model, *pipeline_, GetParam()};
    for (std::uint64_t step = 0; step < 2; ++step) {
        model.parameters().begin_step();

        const auto losses = stage.train(test_case.batches(), test_case.infos(step), {});

        PlainStep plain{test_case, step};
        EXPECT_THAT(wrong_losses(losses, plain, pipeline_->rank() == pipeline_->size() - 1), IsEmpty());
        EXPECT_THAT(wrong_gradients(model, plain), IsEmpty()) << "step " << step;
    }
}

/// Messages larger than what MPI libraries deliver without the receiver (some kilobytes within a node).
TEST_P(PipelineRanks, SurviveManyStepsWithLargeMessages) {
    DecoderConfig config = tiny_config();
    config.layers = 8;
    config.width = 64;
    config.context = 32;
    config = resolved(config);
    const int micro_batches = pipeline_->size() * 4;
    const TokenCase data{micro_batches * 4, config.context, config.vocab};
    std::vector<TokenBatch> batches;
    std::vector<StepInfo> infos(static_cast<std::size_t>(micro_batches), StepInfo{.gradient_scale = 1e-3});
    for (std::int64_t i = 0; i < micro_batches; ++i) { batches.push_back(data.part(i * 4, 4)); }
    auto model = model_of(config);
    model.initialize(Seed{7});
    PipelineStage stage{context_, model, *pipeline_, GetParam()};
    std::vector<double> sums;

    for (int step = 0; step < 3; ++step) {
        model.parameters().begin_step();
        double sum = 0;
        for (const auto& loss : stage.train(batches, infos, {})) { sum += loss.sum; }
        sums.push_back(sum);
        std::size_t evaluated = 0;
        stage.evaluate(batches, infos, [&](std::size_t, const PipelineStage::Outcome&) { ++evaluated; });
        EXPECT_EQ(evaluated, pipeline_->rank() == pipeline_->size() - 1 ? batches.size() : 0u);
    }

    EXPECT_EQ(sums[1], sums[0]);
    EXPECT_EQ(sums[2], sums[0]);
    EXPECT_LE(stage.times().waiting, stage.times().total);
    RecordProperty("waiting_share", std::to_string(stage.times().waiting / stage.times().total));
}

/// Two stages of two tensor-parallel ranks each against the same two ranks with all layers.
TEST_P(PipelineRanks, GiveThePlainLoopsBitsWhereTensorsAreCut) {
    if (pipeline_->size() != 4) { GTEST_SKIP() << "needs 4 ranks"; }
    const PipelineCase test_case;
    const Topology topology{Communicator::world(), Layout{.tp = 2, .pp = 2}, Reduction::fast};
    const int rank = topology.pipeline().rank();
    for (const bool sequence_parallel : {false, true}) {
        const TensorShard shard{.leaves = 2,
                                .first_leaf = topology.tensor().rank(),
                                .group = &topology.tensor(),
                                .sequence_parallel = sequence_parallel};
        auto part = part_of(test_case.config, GetParam(), 2, rank);
        part.tensor = shard;
        Decoder model{test_case.config, Purpose::training, DType::float32, Backing::memory, part};
        model.initialize(Seed{7});
        model.parameters().begin_step();
        PipelineStage stage{context_, model, topology.pipeline(), GetParam()};

        const auto losses = stage.train(test_case.batches(), test_case.infos(0), {});

        PlainStep plain{test_case, 0, shard};
        EXPECT_THAT(wrong_losses(losses, plain, rank == 1), IsEmpty());
        EXPECT_THAT(wrong_gradients(model, plain), IsEmpty()) << "sequence parallel: " << sequence_parallel;
    }
}

std::string name_of(const ::testing::TestParamInfo<PipelineSchedule>& schedule) {
    constexpr const char* names[] = {"Gpipe", "OneForwardOneBackward", "Interleaved", "ZeroBubbleOne"};
    return names[static_cast<std::size_t>(schedule.param)];
}

INSTANTIATE_TEST_SUITE_P(Schedules, PipelineRanks, ::testing::ValuesIn(every_schedule), name_of);

}  // namespace
}  // namespace loglog::testing
