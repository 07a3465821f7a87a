#include <gmock/gmock.h>

#include <vector>

#include "distributed/mpi/communicator.hpp"
#include "experiments/run/evaluation.hpp"
#include "experiments/run/layout_trial.hpp"
#include "experiments/run/run_data.hpp"

namespace loglog {
namespace {

/// Strings of different lengths, so that ranks have different numbers of targets.
RunSpec copying(const Layout& layout, Reduction reduction) {
    RunSpec spec;
    spec.data.probe.task = ProbeTask::copy;
    spec.data.probe.size = 8;
    spec.data.probe.examples = 1'000;
    spec.model.layers = 2;
    spec.model.width = 32;
    spec.model.heads = 2;
    spec.model.context = 33;
    spec.train.tokens = 33 * 8 * 10;
    spec.train.batch_tokens = 33 * 8;
    spec.train.micro_batch = 2;
    spec.train.optimizer.lr = 1e-2;
    spec.layout.reduction = reduction;
    return with_layout(resolve(spec, 30), layout);
}

/// All ways to give so many ranks to one run.
std::vector<Layout> layouts_of(int ranks) {
    if (ranks == 1) { return {{1, 1, 1}}; }
    if (ranks == 2) { return {{2, 1, 1}, {1, 2, 1}, {1, 1, 2}}; }
    return {{4, 1, 1}, {2, 2, 1}, {2, 1, 2}, {1, 2, 2}};
}

class LabelledLayouts : public ::testing::Test {
  protected:
    const Communicator* group_of(const Layout& layout) const { return layout.ranks() == 1 ? nullptr : &world; }

    LayoutTrial trial_of(const Layout& layout, Reduction reduction) const {
        const RunSpec spec = copying(layout, reduction);
        return try_layout(spec, training_windows(open_data(spec.data), spec), 10, 1, group_of(layout));
    }

    Evaluation evaluation_of(const Layout& layout) const {
        const RunSpec spec = copying(layout, Reduction::tree);
        const TokenDataset data = open_data(spec.data);
        OperationLog log;
        TrainingSession session{spec, training_windows(data, spec), 1,
                                group_of(layout) == nullptr ? Topology{spec.layout.reduction}
                                                            : Topology{world, layout, spec.layout.reduction, &log}};
        for (int step = 0; step < 10; ++step) { session.step(); }
        const auto windows = evaluation_windows(data, spec);
        return session.evaluate(windows.source, 13);  // which no number of ranks divides
    }

    const Communicator world = Communicator::world();
};

TEST_F(LabelledLayouts, TreeReductionsGiveTheBitsOfOneRank) {
    const auto alone = trial_of({1, 1, 1}, Reduction::tree);

    for (const Layout& layout : layouts_of(world.size())) {
        const auto trial = trial_of(layout, Reduction::tree);
        EXPECT_EQ(trial.losses, alone.losses) << to_string(layout);
        EXPECT_EQ(trial.gradient_norms, alone.gradient_norms) << to_string(layout);
        EXPECT_EQ(trial.parameter_hash, alone.parameter_hash) << to_string(layout);
    }
}

TEST_F(LabelledLayouts, FastReductionsStayWithinTheirTolerances) {
    const auto alone = trial_of({1, 1, 1}, Reduction::fast);

    for (const Layout& layout : layouts_of(world.size())) {
        const auto difference = compare(alone, trial_of(layout, Reduction::fast), Reduction::fast);
        EXPECT_TRUE(difference.within_promise)
            << to_string(layout) << ": loss " << difference.loss << " norm " << difference.gradient_norm;
    }
}

TEST_F(LabelledLayouts, AccuracyIsTheSameOnAllRanksOfEveryLayout) {
    const auto alone = evaluation_of({1, 1, 1});

    for (const Layout& layout : layouts_of(world.size())) {
        const auto found = evaluation_of(layout);
        EXPECT_EQ(found.loss, alone.loss) << to_string(layout);
        EXPECT_EQ(found.accuracy, alone.accuracy) << to_string(layout);
        EXPECT_EQ(found.string_accuracy, alone.string_accuracy) << to_string(layout);
        EXPECT_EQ(found.by_length, alone.by_length) << to_string(layout);
    }
    EXPECT_GT(alone.accuracy.value(), 0);
    EXPECT_EQ(alone.by_length.size(), 2u);
}

}  // namespace
}  // namespace loglog
