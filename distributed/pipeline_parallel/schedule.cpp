#include "distributed/pipeline_parallel/schedule.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

using Steps = std::vector<PipelineStep>;

void check(PipelineSchedule schedule, int stages, int micro_batches) {
    LOGLOG_ASSERT(stages >= 1);
    const std::string have = std::to_string(micro_batches) + " micro-batches in " + std::to_string(stages) + " stages";
    const std::string remedy = "set layout.micro_batches, or train.micro_batch, such that ";
    if (micro_batches < stages) {
        throw InputError{"pipeline: " + have + " leave stages idle: " + remedy + "there are at least " +
                         std::to_string(stages) + " micro-batches"};
    }
    if (schedule == PipelineSchedule::interleaved && micro_batches % stages != 0) {
        throw InputError{"pipeline: " + have + " cannot be interleaved: " + remedy +
                         "their number is a multiple of the stages"};
    }
}

Steps gpipe_steps(int micro_batches) {
    Steps steps;
    for (int i = 0; i < micro_batches; ++i) { steps.push_back({PipelineOp::forward, i}); }
    for (int i = 0; i < micro_batches; ++i) { steps.push_back({PipelineOp::backward, i}); }
    return steps;
}

/// Warm-up: `warm_up` forwards; then a forward and a backward in turn; then the remaining backwards.
Steps alternating_steps(const Steps& forwards, const Steps& backwards, int warm_up) {
    const auto ahead = std::min(static_cast<std::size_t>(warm_up), forwards.size());
    Steps steps{forwards.begin(), forwards.begin() + static_cast<std::ptrdiff_t>(ahead)};
    for (std::size_t i = 0; i < backwards.size(); ++i) {
        if (ahead + i < forwards.size()) { steps.push_back(forwards[ahead + i]); }
        steps.push_back(backwards[i]);
    }
    return steps;
}

Steps one_f_one_b_steps(int stages, int stage, int micro_batches) {
    Steps forwards;
    Steps backwards;
    for (int i = 0; i < micro_batches; ++i) {
        forwards.push_back({PipelineOp::forward, i});
        backwards.push_back({PipelineOp::backward, i});
    }
    return alternating_steps(forwards, backwards, stages - stage - 1);
}

/// Groups of as many micro-batches as stages visit every chunk in turn; backwards, the last chunk comes first.
Steps interleaved_steps(int stages, int stage, int micro_batches) {
    const int chunks = chunks_per_stage(PipelineSchedule::interleaved);
    Steps forwards;
    Steps backwards;
    for (int first = 0; first < micro_batches; first += stages) {
        for (int chunk = 0; chunk < chunks; ++chunk) {
            for (int i = first; i < first + stages; ++i) {
                forwards.push_back({PipelineOp::forward, i, chunk});
                backwards.push_back({PipelineOp::backward, i, chunks - 1 - chunk});
            }
        }
    }
    return alternating_steps(forwards, backwards, (stages - stage - 1) * 2 + (chunks - 1) * stages);
}

/// The weight gradients lag behind by the stage's index, so that every stage holds as many micro-batches as there are
/// stages: 1F1B's first stage needs no less.
Steps zb_h1_steps(int stages, int stage, int micro_batches) {
    Steps steps;
    int forwards = 0;
    int weights = 0;
    while (forwards < stages - stage) { steps.push_back({PipelineOp::forward, forwards++}); }
    for (int i = 0; i < micro_batches; ++i) {
        steps.push_back({PipelineOp::backward_input, i});
        if (i >= stage) { steps.push_back({PipelineOp::backward_weight, weights++}); }
        if (forwards < micro_batches) { steps.push_back({PipelineOp::forward, forwards++}); }
    }
    while (weights < micro_batches) { steps.push_back({PipelineOp::backward_weight, weights++}); }
    return steps;
}

double duration(const PipelineTimes& times, PipelineOp op) {
    switch (op) {
        case PipelineOp::forward:
            return times.forward;
        case PipelineOp::backward:
            return times.backward_input + times.backward_weight;
        case PipelineOp::backward_input:
            return times.backward_input;
        case PipelineOp::backward_weight:
            return times.backward_weight;
    }
    return 0;
}

/// When the passes of every micro-batch through every piece of the model ended; negative: not yet.
class Ends {
  public:
    Ends(const std::vector<PipelineTimes>& times, int chunks, int micro_batches)
        : times_{&times},
          stages_{static_cast<int>(times.size())},
          pieces_{stages_ * chunks},
          forward_(static_cast<std::size_t>(pieces_ * micro_batches), -1.0),
          backward_{forward_} {}

    /// The earliest start of a step as far as other steps go: negative when one of them has not been run.
    double ready(const PipelineStep& step, int stage) const {
        const int piece = piece_of(step, stage);
        switch (step.op) {
            case PipelineOp::forward:
                return piece == 0 ? 0 : arrival(forward_, step, piece - 1, stage);
            case PipelineOp::backward:
            case PipelineOp::backward_input:
                if (piece == pieces_ - 1) { return forward_[index(piece, step.micro_batch)]; }
                return arrival(backward_, step, piece + 1, stage);
            case PipelineOp::backward_weight:
                return 0;  // the stage's own order has its backward_input before it
        }
        return 0;
    }

    void set(const PipelineStep& step, int stage, double end) {
        if (step.op == PipelineOp::backward_weight) { return; }
        auto& ends = step.op == PipelineOp::forward ? forward_ : backward_;
        ends[index(piece_of(step, stage), step.micro_batch)] = end;
    }

  private:
    int piece_of(const PipelineStep& step, int stage) const { return step.chunk * stages_ + stage; }
    std::size_t index(int piece, int micro_batch) const {
        return static_cast<std::size_t>(micro_batch * pieces_ + piece);
    }
    double arrival(const std::vector<double>& ends, const PipelineStep& step, int from_piece, int stage) const {
        const int from = from_piece % stages_;
        const double end = ends[index(from_piece, step.micro_batch)];
        return end < 0 || from == stage ? end : end + (*times_)[static_cast<std::size_t>(from)].transfer;
    }

    const std::vector<PipelineTimes>* times_;
    int stages_;
    int pieces_;
    std::vector<double> forward_;
    std::vector<double> backward_;
};

}  // namespace

int chunks_per_stage(PipelineSchedule schedule) noexcept { return schedule == PipelineSchedule::interleaved ? 2 : 1; }

std::vector<PipelineStep> steps_of(PipelineSchedule schedule, int stages, int stage, int micro_batches) {
    check(schedule, stages, micro_batches);
    LOGLOG_ASSERT(0 <= stage && stage < stages);
    switch (schedule) {
        case PipelineSchedule::gpipe:
            return gpipe_steps(micro_batches);
        case PipelineSchedule::one_f_one_b:
            return one_f_one_b_steps(stages, stage, micro_batches);
        case PipelineSchedule::interleaved:
            return interleaved_steps(stages, stage, micro_batches);
        case PipelineSchedule::zb_h1:
            return zb_h1_steps(stages, stage, micro_batches);
    }
    return {};
}

int most_in_flight(PipelineSchedule schedule, int stages, int stage, int micro_batches) {
    int held = 0;
    int most = 0;
    for (const auto& step : steps_of(schedule, stages, stage, micro_batches)) {
        if (step.op == PipelineOp::forward) { most = std::max(most, ++held); }
        if (step.op == PipelineOp::backward || step.op == PipelineOp::backward_weight) { --held; }
    }
    return most;
}

PipelineTimeline simulate(PipelineSchedule schedule, int micro_batches, const std::vector<PipelineTimes>& times) {
    const int stages = static_cast<int>(times.size());
    std::vector<std::vector<PipelineStep>> steps;
    for (int stage = 0; stage < stages; ++stage) { steps.push_back(steps_of(schedule, stages, stage, micro_batches)); }

    Ends ends{times, chunks_per_stage(schedule), micro_batches};
    PipelineTimeline timeline;
    timeline.starts.resize(times.size());
    std::vector<double> clocks(times.size(), 0.0);
    double busy = 0;
    bool advanced = true;
    // Sweeps over the stages until none can go on; start times do not depend on the order of the sweeps.
    while (std::exchange(advanced, false)) {
        for (std::size_t stage = 0; stage < times.size(); ++stage) {
            auto& starts = timeline.starts[stage];
            while (starts.size() < steps[stage].size()) {
                const auto& step = steps[stage][starts.size()];
                const double ready = ends.ready(step, static_cast<int>(stage));
                if (ready < 0) { break; }
                starts.push_back(std::max(clocks[stage], ready));
                const double length = duration(times[stage], step.op);
                clocks[stage] = starts.back() + length;
                ends.set(step, static_cast<int>(stage), clocks[stage]);
                busy += length;
                advanced = true;
            }
        }
    }
    for (std::size_t stage = 0; stage < times.size(); ++stage) {
        if (timeline.starts[stage].size() < steps[stage].size()) {
            throw Error{"pipeline: the schedule's steps wait for each other in a circle"};
        }
    }
    timeline.makespan = *std::ranges::max_element(clocks);
    timeline.bubble = 1 - busy / (timeline.makespan * static_cast<double>(stages));
    return timeline;
}

double formula_bubble(PipelineSchedule schedule, int stages, int micro_batches) {
    const double m = micro_batches;
    double idle = stages - 1;  // in units of a micro-batch's forward and backward pass
    if (schedule == PipelineSchedule::interleaved) { idle /= chunks_per_stage(schedule); }
    if (schedule == PipelineSchedule::zb_h1) { idle /= 3; }
    return idle / (m + idle);
}

}  // namespace loglog
