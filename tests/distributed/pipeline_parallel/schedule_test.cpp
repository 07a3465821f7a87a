#include "distributed/pipeline_parallel/schedule.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

using testing::HasSubstr;

constexpr PipelineSchedule every_schedule[] = {PipelineSchedule::gpipe, PipelineSchedule::one_f_one_b,
                                               PipelineSchedule::interleaved, PipelineSchedule::zb_h1};

/// A stage's row of a timeline in slots of length 1, in the notation of the papers: the first slot of a step names it
/// (F, B or W, micro-batch, chunk a or b where there are two), further ones repeat its letter in lower case.
std::string row(PipelineSchedule schedule, int stage, int stages, int micro_batches, const PipelineTimes& times) {
    const auto timeline =
        simulate(schedule, micro_batches, std::vector<PipelineTimes>(static_cast<std::size_t>(stages), times));
    const auto steps = steps_of(schedule, stages, stage, micro_batches);
    std::vector<std::string> slots(static_cast<std::size_t>(timeline.makespan), "..");
    for (std::size_t i = 0; i < steps.size(); ++i) {
        const auto& step = steps[i];
        double length = times.forward;
        std::string name = "F";
        if (step.op == PipelineOp::backward) { name = "B", length = times.backward_input + times.backward_weight; }
        if (step.op == PipelineOp::backward_input) { name = "B", length = times.backward_input; }
        if (step.op == PipelineOp::backward_weight) { name = "W", length = times.backward_weight; }
        const auto first = static_cast<std::size_t>(timeline.starts[static_cast<std::size_t>(stage)][i]);
        slots[first] = name + std::to_string(step.micro_batch);
        const char lower = static_cast<char>(name[0] + ('a' - 'A'));
        for (std::size_t slot = first + 1; slot < first + static_cast<std::size_t>(length); ++slot) {
            slots[slot] = std::string(2, lower);
        }
    }
    std::string text;
    for (const auto& slot : slots) { text += (text.empty() ? "" : " ") + slot; }
    return text;
}

TEST(PipelineSchedule, GivesThePublishedTableOfOneForwardOneBackward) {
    const auto stage = [](int index) { return row(PipelineSchedule::one_f_one_b, index, 4, 8, {}); };

    EXPECT_EQ(stage(0),
              "F0 F1 F2 F3 .. .. .. .. .. .. B0 bb F4 B1 bb F5 B2 bb F6 B3 bb F7 B4 bb .. B5 bb .. B6 bb .. B7 bb");
    EXPECT_EQ(stage(1),
              ".. F0 F1 F2 .. .. .. .. B0 bb F3 B1 bb F4 B2 bb F5 B3 bb F6 B4 bb F7 B5 bb .. B6 bb .. B7 bb .. ..");
    EXPECT_EQ(stage(2),
              ".. .. F0 F1 .. .. B0 bb F2 B1 bb F3 B2 bb F4 B3 bb F5 B4 bb F6 B5 bb F7 B6 bb .. B7 bb .. .. .. ..");
    EXPECT_EQ(stage(3),
              ".. .. .. F0 B0 bb F1 B1 bb F2 B2 bb F3 B3 bb F4 B4 bb F5 B5 bb F6 B6 bb F7 B7 bb .. .. .. .. .. ..");
}

TEST(PipelineSchedule, GivesThePublishedTableOfZeroBubbleOne) {
    const auto stage = [](int index) { return row(PipelineSchedule::zb_h1, index, 4, 8, {}); };

    EXPECT_EQ(stage(0), "F0 F1 F2 F3 .. .. .. B0 W0 F4 B1 W1 F5 B2 W2 F6 B3 W3 F7 B4 W4 B5 W5 B6 W6 B7 W7");
    EXPECT_EQ(stage(1), ".. F0 F1 F2 .. .. B0 F3 B1 W0 F4 B2 W1 F5 B3 W2 F6 B4 W3 F7 B5 W4 B6 W5 B7 W6 W7");
    EXPECT_EQ(stage(2), ".. .. F0 F1 .. B0 F2 B1 F3 B2 W0 F4 B3 W1 F5 B4 W2 F6 B5 W3 F7 B6 W4 B7 W5 W6 W7");
    EXPECT_EQ(stage(3), ".. .. .. F0 B0 F1 B1 F2 B2 F3 B3 W0 F4 B4 W1 F5 B5 W2 F6 B6 W3 F7 B7 W4 W5 W6 W7");
}

TEST(PipelineSchedule, RunsAllForwardsBeforeBackwardsInGpipe) {
    EXPECT_EQ(row(PipelineSchedule::gpipe, 0, 2, 3, {}), "F0 F1 F2 .. .. .. B0 bb B1 bb B2 bb");
    EXPECT_EQ(row(PipelineSchedule::gpipe, 1, 2, 3, {}), ".. F0 F1 F2 B0 bb B1 bb B2 bb .. ..");
}

std::string order(const std::vector<PipelineStep>& steps, PipelineOp op) {
    std::string text;
    for (const auto& step : steps) {
        if (step.op != op) { continue; }
        text += (text.empty() ? "" : " ") + std::to_string(step.micro_batch) + (step.chunk == 0 ? "a" : "b");
    }
    return text;
}

TEST(PipelineSchedule, VisitsChunksInGroupsOfMicroBatchesWhenInterleaved) {
    for (int stage = 0; stage < 4; ++stage) {
        const auto steps = steps_of(PipelineSchedule::interleaved, 4, stage, 8);

        EXPECT_EQ(order(steps, PipelineOp::forward), "0a 1a 2a 3a 0b 1b 2b 3b 4a 5a 6a 7a 4b 5b 6b 7b");
        EXPECT_EQ(order(steps, PipelineOp::backward), "0b 1b 2b 3b 0a 1a 2a 3a 4b 5b 6b 7b 4a 5a 6a 7a");
    }
}

/// Forwards before the one-forward-one-backward part begins, whose own first forward is not counted.
int warm_up(PipelineSchedule schedule, int stages, int stage, int micro_batches) {
    const auto steps = steps_of(schedule, stages, stage, micro_batches);
    const auto first_backward = std::ranges::find_if(steps, [](const auto& s) { return s.op != PipelineOp::forward; });
    const int before = static_cast<int>(first_backward - steps.begin());
    return schedule == PipelineSchedule::zb_h1 ? before : before - 1;
}

TEST(PipelineSchedule, WarmsUpWithThePublishedNumberOfForwards) {
    const int interleaved[] = {10, 8, 6, 4};
    for (int stage = 0; stage < 4; ++stage) {
        EXPECT_EQ(warm_up(PipelineSchedule::one_f_one_b, 4, stage, 8), 3 - stage);
        EXPECT_EQ(warm_up(PipelineSchedule::interleaved, 4, stage, 8), interleaved[stage]);
        EXPECT_EQ(warm_up(PipelineSchedule::zb_h1, 4, stage, 8), 4 - stage);
    }
}

TEST(MostInFlight, IsWhatEachScheduleIsKnownFor) {
    const int interleaved[] = {11, 9, 7, 5};
    for (int stage = 0; stage < 4; ++stage) {
        EXPECT_EQ(most_in_flight(PipelineSchedule::gpipe, 4, stage, 8), 8);
        EXPECT_EQ(most_in_flight(PipelineSchedule::one_f_one_b, 4, stage, 8), 4 - stage);
        EXPECT_EQ(most_in_flight(PipelineSchedule::interleaved, 4, stage, 8), interleaved[stage]);
        EXPECT_EQ(most_in_flight(PipelineSchedule::zb_h1, 4, stage, 8), 4);
    }
    EXPECT_EQ(most_in_flight(PipelineSchedule::one_f_one_b, 1, 0, 8), 1);
    EXPECT_EQ(most_in_flight(PipelineSchedule::zb_h1, 1, 0, 8), 1);
}

/// Time that a stage idles while the whole schedule runs, for four equal stages.
double idle(PipelineSchedule schedule, const PipelineTimes& times, int micro_batches = 8) {
    const auto timeline = simulate(schedule, micro_batches, std::vector<PipelineTimes>(4, times));
    const double work =
        micro_batches * chunks_per_stage(schedule) * (times.forward + times.backward_input + times.backward_weight);
    EXPECT_NEAR(timeline.bubble, 1 - work / timeline.makespan, 1e-14);
    return timeline.makespan - work;
}

TEST(Simulate, FindsThePublishedBubbles) {
    EXPECT_EQ(idle(PipelineSchedule::gpipe, {}), 9);
    EXPECT_EQ(idle(PipelineSchedule::one_f_one_b, {}), 9);
    EXPECT_EQ(idle(PipelineSchedule::interleaved, {}), 57 - 48);  // half as long: the unit is half a stage's forward
    EXPECT_EQ(idle(PipelineSchedule::zb_h1, {}), 3);
}

TEST(Simulate, FindsTheBubblesOfUnequalPasses) {
    const PipelineTimes light{.forward = 10, .backward_input = 10, .backward_weight = 8};
    const PipelineTimes heavy{.forward = 10, .backward_input = 12, .backward_weight = 8};

    EXPECT_EQ(idle(PipelineSchedule::zb_h1, light), 36);
    EXPECT_EQ(idle(PipelineSchedule::zb_h1, heavy), 42);
    EXPECT_EQ(idle(PipelineSchedule::one_f_one_b, light), 84);
    EXPECT_EQ(idle(PipelineSchedule::one_f_one_b, heavy), 90);
}

TEST(Simulate, AddsTransfersToThePathOfTheFirstMicroBatch) {
    const auto timeline = simulate(PipelineSchedule::gpipe, 3, std::vector<PipelineTimes>(3, {.transfer = 0.25}));

    EXPECT_EQ(timeline.starts[2][0], 2 + 2 * 0.25);
    EXPECT_EQ(timeline.starts[0][3], 5 + 2 * 0.25 + 2 * 2 + 2 * 0.25);
}

TEST(Simulate, LetsTheSlowestStageSetThePace) {
    std::vector<PipelineTimes> times(3);
    times[1] = {.forward = 5, .backward_input = 5, .backward_weight = 5};

    const auto timeline = simulate(PipelineSchedule::one_f_one_b, 40, times);

    EXPECT_GE(timeline.makespan, 40 * 15);
    EXPECT_LE(timeline.makespan, 40 * 15 + 3 * (3 + 15));
    EXPECT_GT(timeline.bubble, 0.5);
}

TEST(FormulaBubble, AgreesWithTheSimulation) {
    for (const auto schedule : every_schedule) {
        for (const int stages : {1, 2, 4, 8}) {
            const auto timeline =
                simulate(schedule, 2 * stages, std::vector<PipelineTimes>(static_cast<std::size_t>(stages)));

            EXPECT_NEAR(timeline.bubble, formula_bubble(schedule, stages, 2 * stages), 1e-12)
                << static_cast<int>(schedule) << " with " << stages << " stages";
        }
    }
}

struct Case {
    PipelineSchedule schedule;
    int stages;
    int micro_batches;
};

std::vector<Case> all_cases() {
    std::vector<Case> cases;
    for (const auto schedule : every_schedule) {
        for (int stages = 1; stages <= 8; ++stages) {
            const int step = schedule == PipelineSchedule::interleaved ? stages : 1;
            for (int m = stages; m <= 24; m += step) { cases.push_back({schedule, stages, m}); }
        }
    }
    return cases;
}

std::string name(const Case& c) {
    return "schedule " + std::to_string(static_cast<int>(c.schedule)) + ", " + std::to_string(c.stages) + " stages, " +
           std::to_string(c.micro_batches) + " micro-batches";
}

TEST(PipelineSchedule, DoesEveryStepOnceForwardFirstAndBackwardInOrder) {
    for (const auto& c : all_cases()) {
        for (int stage = 0; stage < c.stages; ++stage) {
            const auto steps = steps_of(c.schedule, c.stages, stage, c.micro_batches);
            for (int chunk = 0; chunk < chunks_per_stage(c.schedule); ++chunk) {
                int next[4] = {};  // by op: each visits 0, 1, 2, ...
                bool good = true;
                for (const auto& step : steps) {
                    if (step.chunk != chunk) { continue; }
                    good = good && step.micro_batch == next[static_cast<int>(step.op)]++;
                    if (step.op == PipelineOp::backward || step.op == PipelineOp::backward_input) {
                        good = good && step.micro_batch < next[0];
                    }
                    if (step.op == PipelineOp::backward_weight) { good = good && step.micro_batch < next[2]; }
                }
                const int m = c.micro_batches;
                const bool split = c.schedule == PipelineSchedule::zb_h1;
                good = good && next[0] == m && next[1] == (split ? 0 : m) && next[2] == (split ? m : 0) &&
                       next[3] == next[2];
                EXPECT_TRUE(good) << name(c) << ", stage " << stage << ", chunk " << chunk;
            }
        }
    }
}

TEST(PipelineSchedule, EndsForAnyStepTimes) {
    for (const auto& c : all_cases()) {
        std::vector<PipelineTimes> times;
        for (int stage = 0; stage < c.stages; ++stage) { times.push_back({1.0 + stage % 3, 2, 1.5, 0.1}); }

        const auto timeline = simulate(c.schedule, c.micro_batches, times);

        EXPECT_GE(timeline.bubble, -1e-12) << name(c);
        EXPECT_LT(timeline.bubble, 1) << name(c);
    }
}

TEST(MostInFlight, IsWhatTheStepsImply) {
    for (const auto& c : all_cases()) {
        for (int stage = 0; stage < c.stages; ++stage) {
            const auto steps = steps_of(c.schedule, c.stages, stage, c.micro_batches);
            std::vector<int> held_after;
            for (std::size_t end = 1; end <= steps.size(); ++end) {
                const auto done = [&](PipelineOp op) {
                    return static_cast<int>(std::count_if(steps.begin(), steps.begin() + static_cast<long>(end),
                                                          [&](const auto& step) { return step.op == op; }));
                };
                held_after.push_back(done(PipelineOp::forward) - done(PipelineOp::backward) -
                                     done(PipelineOp::backward_weight));
            }
            const int most = *std::ranges::max_element(held_after);

            EXPECT_EQ(most_in_flight(c.schedule, c.stages, stage, c.micro_batches), most) << name(c);
            EXPECT_EQ(held_after.back(), 0) << name(c);
        }
    }
}

std::string message_of(PipelineSchedule schedule, int stages, int micro_batches) {
    try {
        steps_of(schedule, stages, 0, micro_batches);
    } catch (const InputError& error) { return error.what(); }
    return "accepted";
}

TEST(PipelineSchedule, RejectsFewerMicroBatchesThanStages) {
    for (const auto schedule : every_schedule) {
        const auto message = message_of(schedule, 4, 3);

        EXPECT_THAT(message, HasSubstr("3 micro-batches in 4 stages"));
        EXPECT_THAT(message, HasSubstr("layout.micro_batches"));
        EXPECT_THAT(message, HasSubstr("train.micro_batch"));
    }
}

TEST(PipelineSchedule, RejectsUnevenGroupsWhenInterleaved) {
    EXPECT_THAT(message_of(PipelineSchedule::interleaved, 4, 6), HasSubstr("a multiple of the stages"));
    EXPECT_EQ(message_of(PipelineSchedule::one_f_one_b, 4, 6), "accepted");
}

}  // namespace
}  // namespace loglog
