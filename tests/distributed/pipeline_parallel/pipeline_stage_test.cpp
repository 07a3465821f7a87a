#include "distributed/pipeline_parallel/pipeline_stage.hpp"

#include <gmock/gmock.h>

#include <exception>
#include <functional>
#include <thread>

#include "engine/base/error.hpp"
#include "engine/parallel/counting_group.hpp"
#include "tests/distributed/pipeline_parallel/pipeline_case.hpp"
#include "tests/distributed/pipeline_parallel/rendezvous_group.hpp"
#include "tests/support/allocation_count.hpp"

namespace loglog::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Runs `body(pipeline)` as every stage of a pipeline, each in a thread, and throws what the first failing one threw.
void run_stages(int stages, const std::function<void(Group& pipeline)>& body) {
    MessageBoard board;
    std::vector<std::exception_ptr> failures(static_cast<std::size_t>(stages));
    {
        std::vector<std::jthread> threads;
        for (int stage = 0; stage < stages; ++stage) {
            threads.emplace_back([&, stage] {
                try {
                    RendezvousGroup pipeline{board, stage, stages};
                    body(pipeline);
                } catch (...) { failures[static_cast<std::size_t>(stage)] = std::current_exception(); }
            });
        }
    }
    for (const auto& failure : failures) {
        if (failure) { std::rethrow_exception(failure); }
    }
    EXPECT_EQ(board.left_over(), 0u);
}

/// Two steps of every stage against the plain loop.
void expect_plain_results(PipelineSchedule schedule, int stages, double first_extra = 0,
                          const PipelineCase& test_case = {}) {
    PlainStep plain[] = {{test_case, 0}, {test_case, 1}};
    run_stages(stages, [&](Group& pipeline) {
        Context context{CpuContext{1}};
        Decoder model{test_case.config, Purpose::training, DType::float32, Backing::memory,
                      part_of(test_case.config, schedule, stages, pipeline.rank(), first_extra)};
        model.initialize(Seed{7});
        PipelineStage stage{context, model, pipeline, schedule};
        for (std::uint64_t step = 0; step < 2; ++step) {
            model.parameters().begin_step();

            const auto losses = stage.train(test_case.batches(), test_case.infos(step), {});

            EXPECT_THAT(wrong_losses(losses, plain[step], pipeline.rank() == stages - 1), IsEmpty());
            EXPECT_THAT(wrong_gradients(model, plain[step]), IsEmpty())
                << "schedule " << static_cast<int>(schedule) << ", stage " << pipeline.rank() << ", step " << step;
        }
    });
}

TEST(PipelineStage, OfOneStageGivesThePlainLoopsBitsInEverySchedule) {
    for (const auto schedule : every_schedule) { expect_plain_results(schedule, 1); }
}

TEST(PipelineStage, OfTwoStagesGivesThePlainLoopsBitsInEverySchedule) {
    for (const auto schedule : every_schedule) { expect_plain_results(schedule, 2); }
}

TEST(PipelineStage, OfFourStagesGivesThePlainLoopsBitsInEverySchedule) {
    for (const auto schedule : every_schedule) { expect_plain_results(schedule, 4); }
}

TEST(PipelineStage, OfThreeUnevenStagesGivesThePlainLoopsBitsInEverySchedule) {
    for (const auto schedule : every_schedule) { expect_plain_results(schedule, 3, 1.5); }
}

TEST(PipelineStage, GivesThePlainLoopsBitsWithAnUntiedHeadAndGroupedQueries) {
    PipelineCase test_case;
    test_case.config = tiny_modern_config();
    test_case.config.layers = 8;
    for (const auto schedule : every_schedule) { expect_plain_results(schedule, 4, 0, test_case); }
}

TEST(PipelineStage, RunsAWholeModelAsOneStageUnderEverySchedule) {
    const PipelineCase test_case;
    const PlainStep plain{test_case, 0};
    for (const auto schedule : every_schedule) {
        Context context{CpuContext{1}};
        CountingGroup alone{0, 1};
        Decoder model{test_case.config};
        model.initialize(Seed{7});
        model.parameters().begin_step();
        PipelineStage stage{context, model, alone, schedule};

        const auto losses = stage.train(test_case.batches(), test_case.infos(0), {});

        EXPECT_THAT(wrong_losses(losses, plain, true), IsEmpty());
        EXPECT_THAT(wrong_gradients(model, plain), IsEmpty());
        EXPECT_EQ(alone.total().messages, 0);
        if (schedule == PipelineSchedule::one_f_one_b) { EXPECT_EQ(stage.activation_bytes(), plain.activation_bytes); }
    }
}

TEST(PipelineStage, TellsWhenAMicroBatchsGradientsAreCompleteInOrder) {
    const PipelineCase test_case;
    for (const auto schedule : every_schedule) {
        run_stages(2, [&](Group& pipeline) {
            Context context{CpuContext{1}};
            Decoder model{test_case.config, Purpose::training, DType::float32, Backing::memory,
                          part_of(test_case.config, schedule, 2, pipeline.rank())};
            model.initialize(Seed{7});
            model.parameters().begin_step();
            PipelineStage stage{context, model, pipeline, schedule};
            std::vector<int> next(static_cast<std::size_t>(chunks_per_stage(schedule)), 0);

            stage.train(test_case.batches(), test_case.infos(0), [&](int chunk, int micro_batch, PipelineOp step) {
                if (step == PipelineOp::backward_input) { return; }
                EXPECT_EQ(micro_batch, next[static_cast<std::size_t>(chunk)]++);
            });

            for (const int count : next) { EXPECT_EQ(count, PipelineCase::micro_batches); }
        });
    }
}

/// The plain loop, one micro-batch at a time.
class PlainLoop {
  public:
    explicit PlainLoop(const PipelineCase& test_case)
        : batches_{test_case.batches()}, infos_{test_case.infos(0)}, model_{test_case.config} {
        model_.initialize(Seed{7});
        model_.parameters().begin_step();
    }

    /// Gradients after `micro_batch`, which follows that of the call before.
    std::vector<CollectedGradient> gradients_after(int micro_batch) {
        const auto i = static_cast<std::size_t>(micro_batch);
        tape_.reset();
        model_.loss(tape_, batches_[i], infos_[i]);
        tape_.backward();
        return collected_gradients(model_);
    }

  private:
    std::vector<TokenBatch> batches_;
    std::vector<StepInfo> infos_;
    Decoder model_;
    Context context_{CpuContext{1}};
    Arena arena_;
    Tape tape_{context_, arena_, Mode::train};
};

/// How often a gradient of the layers, or of the head where it is in the only chunk, held more or less than the
/// micro-batches so far when one of them was told to be complete.
int gradients_that_are_not_apart(PipelineSchedule schedule, Group& pipeline) {
    const PipelineCase test_case;
    Context context{CpuContext{1}};
    Decoder model{test_case.config, Purpose::training, DType::float32, Backing::memory,
                  part_of(test_case.config, schedule, 2, pipeline.rank())};
    model.initialize(Seed{7});
    model.parameters().begin_step();
    PipelineStage stage{context, model, pipeline, schedule};
    PlainLoop plain{test_case};
    const LayerRange layers = model.part().chunks.front();
    const bool with_head = model.part().head && model.part().chunks.size() == 1;
    int wrong = 0;
    stage.train(test_case.batches(), test_case.infos(0), [&](int chunk, int micro_batch, PipelineOp) {
        if (chunk != 0) { return; }
        const auto expected = plain.gradients_after(micro_batch);
        const auto mine = collected_gradients(model);
        for (std::size_t index = 0; index < mine.size(); ++index) {
            const auto& name = mine[index].name;
            if (name.starts_with("blocks.") && layers.first <= std::stoll(name.substr(7)) &&
                std::stoll(name.substr(7)) < layers.last) {
                wrong += mine[index].first_use != expected[index].first_use ? 1 : 0;
            }
            if (with_head) { wrong += mine[index].second_use != expected[index].second_use ? 1 : 0; }
        }
    });
    return wrong;
}

TEST(PipelineStage, AddsNothingOfTheNextMicroBatchBeforeAWholeBackwardPassIsReported) {
    for (const auto schedule :
         {PipelineSchedule::gpipe, PipelineSchedule::one_f_one_b, PipelineSchedule::interleaved}) {
        std::vector<int> wrong(2);
        run_stages(2, [&](Group& pipeline) {
            wrong[static_cast<std::size_t>(pipeline.rank())] = gradients_that_are_not_apart(schedule, pipeline);
        });

        EXPECT_EQ(wrong[0] + wrong[1], 0)
            << "schedule " << static_cast<int>(schedule) << ": " << wrong[0] << " and " << wrong[1];
    }
}

TEST(PipelineStage, EvaluatesOnTheLastStageWhatTheWholeModelGives) {
    const PipelineCase test_case;
    auto batches = test_case.batches();
    batches.resize(7);  // no multiple of the stages
    Decoder whole{test_case.config};
    whole.initialize(Seed{7});
    std::vector<std::vector<float>> expected;
    {
        Context context{CpuContext{1}};
        Arena arena;
        Tape tape{context, arena, Mode::evaluate};
        for (const auto& batch : batches) {
            tape.reset();
            const auto losses = whole.loss(tape, batch, {}).token_losses.values<float>();
            expected.emplace_back(losses.begin(), losses.end());
        }
    }
    const std::vector<StepInfo> infos(batches.size());
    for (const auto schedule : {PipelineSchedule::one_f_one_b, PipelineSchedule::interleaved}) {
        run_stages(4, [&](Group& pipeline) {
            Context context{CpuContext{1}};
            Decoder model{test_case.config, Purpose::training, DType::float32, Backing::memory,
                          part_of(test_case.config, schedule, 4, pipeline.rank())};
            model.initialize(Seed{7});
            PipelineStage stage{context, model, pipeline, schedule};
            std::vector<std::vector<float>> losses;

            stage.evaluate(batches, infos, [&](std::size_t index, const PipelineStage::Outcome& outcome) {
                EXPECT_EQ(index, losses.size());
                losses.emplace_back(outcome.losses.begin(), outcome.losses.end());
            });

            EXPECT_EQ(losses, pipeline.rank() == 3 ? expected : std::vector<std::vector<float>>{});
        });
    }
}

TEST(PipelineStage, EvaluatesMoreMicroBatchesThanThereAreTags) {
    PipelineCase test_case;
    test_case.config.layers = 16;
    const std::vector<TokenBatch> batches(600, test_case.data.part(0, 1));  // 2 * 16 * 600 > 2^14
    run_stages(8, [&](Group& pipeline) {
        Context context{CpuContext{1}};
        Decoder model{test_case.config, Purpose::training, DType::float32, Backing::memory,
                      part_of(test_case.config, PipelineSchedule::interleaved, 8, pipeline.rank())};
        model.initialize(Seed{7});
        PipelineStage stage{context, model, pipeline, PipelineSchedule::interleaved};
        std::vector<float> first;
        std::size_t same = 0;

        const std::vector<StepInfo> infos(batches.size());
        stage.evaluate(batches, infos, [&](std::size_t, const PipelineStage::Outcome& outcome) {
            const auto losses = outcome.losses;
            if (first.empty()) { first.assign(losses.begin(), losses.end()); }
            same += std::ranges::equal(losses, first) ? 1 : 0;
        });

        EXPECT_EQ(same, pipeline.rank() == 7 ? batches.size() : 0u);
    });
}

TEST(PipelineStage, SurvivesManyStepsWithoutBufferedMessages) {
    PipelineCase test_case;
    std::vector<TokenBatch> batches = test_case.batches();
    std::vector<StepInfo> infos = test_case.infos(0);
    batches.insert(batches.end(), batches.begin(), batches.begin() + 4);
    infos.insert(infos.end(), infos.begin(), infos.begin() + 4);
    for (const int stages : {4, 8}) {
        test_case.config.layers = 2 * stages;
        for (const auto schedule : every_schedule) {
            run_stages(stages, [&](Group& pipeline) {
                Context context{CpuContext{1}};
                Decoder model{test_case.config, Purpose::training, DType::float32, Backing::memory,
                              part_of(test_case.config, schedule, stages, pipeline.rank())};
                model.initialize(Seed{7});
                PipelineStage stage{context, model, pipeline, schedule};
                for (int step = 0; step < 3; ++step) {
                    model.parameters().begin_step();
                    stage.train(batches, infos, {});
                    stage.evaluate(batches, infos, [](std::size_t, const PipelineStage::Outcome&) {});
                }
                EXPECT_GE(stage.times().waiting, 0);
                EXPECT_LT(stage.times().waiting, stage.times().total);
            });
        }
    }
}

TEST(PipelineStage, HoldsLessInTheLastStagesOfOneForwardOneBackward) {
    const PipelineCase test_case;
    std::vector<std::size_t> bytes(4);
    run_stages(4, [&](Group& pipeline) {
        Context context{CpuContext{1}};
        Decoder model{test_case.config, Purpose::training, DType::float32, Backing::memory,
                      part_of(test_case.config, PipelineSchedule::one_f_one_b, 4, pipeline.rank())};
        model.initialize(Seed{7});
        model.parameters().begin_step();
        PipelineStage stage{context, model, pipeline, PipelineSchedule::one_f_one_b};
        stage.train(test_case.batches(), test_case.infos(0), {});
        bytes[static_cast<std::size_t>(pipeline.rank())] = stage.activation_bytes();
    });

    EXPECT_EQ(bytes[1] * 2, bytes[2] * 3);  // equal layers: three micro-batches against two
    EXPECT_GT(bytes[0], bytes[1]);
}

TEST(PipelineStage, CountsItsMessagesWithoutComputing) {
    const PipelineCase test_case;
    for (const auto schedule : every_schedule) {
        Context context{CountingContext{}};
        CountingGroup second_of_four{1, 4};
        Decoder model{test_case.config, Purpose::training, DType::float32, Backing::address_space,
                      part_of(test_case.config, schedule, 4, 1)};
        PipelineStage stage{context, model, second_of_four, schedule};

        stage.train(test_case.batches(), test_case.infos(0), {});

        const double messages = 2 * PipelineCase::micro_batches * chunks_per_stage(schedule);  // to both neighbours
        EXPECT_EQ(second_of_four.total().messages, messages);
        EXPECT_EQ(second_of_four.total().bytes, messages * (2 * 8) * 16 * sizeof(float));
        EXPECT_GT(stage.activation_bytes(), 0u);
    }
}

TEST(PipelineStage, AllocatesNothingButItsResultAfterTheFirstStep) {
    const PipelineCase test_case;
    const auto batches = test_case.batches();
    const auto infos = test_case.infos(0);
    for (const auto schedule : every_schedule) {
        Context context{CpuContext{1}};
        CountingGroup alone{0, 1};
        Decoder model{test_case.config};
        model.initialize(Seed{7});
        PipelineStage stage{context, model, alone, schedule};
        std::int64_t allocations = 0;
        for (int step = 0; step < 3; ++step) {
            model.parameters().begin_step();
            const auto before = allocation_count();

            stage.train(batches, infos, {});

            allocations = allocation_count() - before;
        }
        EXPECT_EQ(allocations, 1) << "schedule " << static_cast<int>(schedule);
    }
}

TEST(PipelineStage, RejectsAPartThatIsNotTheSchedules) {
    const PipelineCase test_case;
    Context context{CpuContext{1}};
    CountingGroup first_of_two{0, 2};
    Decoder model{test_case.config, Purpose::training, DType::float32, Backing::memory,
                  part_of(test_case.config, PipelineSchedule::one_f_one_b, 2, 0)};
    try {
        const PipelineStage stage{context, model, first_of_two, PipelineSchedule::interleaved};
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr("stage 0 has 1 chunks of layers, but its schedule needs 2"));
    }
}

}  // namespace
}  // namespace loglog::testing
