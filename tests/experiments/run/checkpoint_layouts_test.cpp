// Checkpoints written by the ranks of one layout and read under others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <mpi.h>
#include <signal.h>
#include <sys/resource.h>

#include <array>
#include <optional>

#include "db/hdf5/hdf5_file.hpp"
#include "distributed/mpi/communicator.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/checkpoint.hpp"
#include "tests/experiments/run/checkpoint_case.hpp"
#include "tests/support/shared_folder.hpp"

namespace loglog::testing {
namespace {

const CheckpointLabel label{"3f2a9c01d4be", 120, "hash"};

const std::vector<StateLayout> layouts{
    {{1, 1, 1}},       {{1, 1, 1}, false, 4}, {{2, 2, 1}},       {{2, 2, 1}, true}, {{1, 1, 4}},
    {{4, 1, 1}, true}, {{4, 1, 1}},           {{1, 4, 1}},       {{1, 2, 2}},       {{2, 1, 2}, true},
    {{1, 2, 1}},       {{1, 2, 1}, false, 4}, {{2, 1, 1}, true}, {{1, 1, 2}},
};

ShardedState state_of(RankState& rank, const StateLayout& state, const Place& place, const Communicator& run) {
    return {.parameters = rank.parameters(),
            .pieces = rank.pieces(),
            .writes_values = place.dp == 0,
            .writes_moments = state.zero || place.dp == 0,
            .run = &run};
}

/// Collective.
void save_under(const StateLayout& state, const std::filesystem::path& path, const Communicator& run,
                const DecoderConfig& config = checkpoint_config()) {
    const Place place = place_of(state.layout, run.rank());
    RankState rank{state, place, config};
    rank.fill();
    save_checkpoint(path, state_of(rank, state, place, run), label);
}

class CheckpointsOf : public ::testing::TestWithParam<DecoderConfig> {};

TEST_P(CheckpointsOf, AnyLayoutAreLoadedByEveryLayout) {
    const auto& config = GetParam();
    const auto run = Communicator::world();
    const SharedFolder folder;
    for (const auto& saved : layouts) {
        if (saved.layout.ranks() != run.size()) { continue; }
        const auto path = folder / "checkpoint.h5";
        save_under(saved, path, run, config);

        for (const auto& loaded : layouts) {
            for (int place = run.rank(); place < loaded.layout.ranks(); place += run.size()) {
                RankState rank{loaded, place_of(loaded.layout, place), config};
                const auto found =
                    load_checkpoint(path, ShardedState{.parameters = rank.parameters(), .pieces = rank.pieces()});
                EXPECT_EQ(rank.differences(), "")
                    << "saved under " << saved.name() << ", loaded under " << loaded.name() << ", place " << place;
                EXPECT_EQ(found.id + std::to_string(found.step) + found.tokenizer, "3f2a9c01d4be120hash");
            }
        }
        MPI_Barrier(run.native());
    }
}

INSTANTIATE_TEST_SUITE_P(Models, CheckpointsOf, ::testing::Values(checkpoint_config(), hybrid_checkpoint_config()),
                         [](const auto& parameter) { return parameter.index == 0 ? "dense" : "hybrid"; });

TEST(CheckpointLayouts, FilesOfSeveralRanksHoldWhatFilesOfOneHold) {
    const auto run = Communicator::world();
    const SharedFolder folder;
    const auto found = std::ranges::find_if(layouts, [&](const auto& l) { return l.layout.ranks() == run.size(); });

    save_under(*found, folder / "run.h5", run);
    if (run.rank() == 0) {
        RankState one{{{1, 1, 1}}, {}};
        one.fill();
        save_checkpoint(folder / "one.h5", ShardedState{.parameters = one.parameters(), .pieces = one.pieces()}, label);
        const auto many = Hdf5File::open(folder / "run.h5");
        const auto single = Hdf5File::open(folder / "one.h5");
        for (const auto& spec : one.parameters().specs()) {
            for (const std::string part : {"/values/", "/first_moments/", "/second_moments/"}) {
                EXPECT_EQ(many.read<float>(part + spec.name).values, single.read<float>(part + spec.name).values);
                EXPECT_EQ(many.extents(part + spec.name), single.extents(part + spec.name));
            }
        }
    }
}

TEST(CheckpointLayouts, AllRanksRestoreTheSameCheckpointWhenTheNewestIsDamaged) {
    const auto run = Communicator::world();
    const SharedFolder folder;
    const auto found = std::ranges::find_if(layouts, [&](const auto& l) { return l.layout.ranks() == run.size(); });
    const Place place = place_of(found->layout, run.rank());
    RankState rank{*found, place};
    const auto state = state_of(rank, *found, place, run);
    rank.fill();
    store_checkpoint(folder.path(), state, {"id", 10, "t"}, {.keep_last = 2});
    store_checkpoint(folder.path(), state, {"id", 20, "t"}, {.keep_last = 2});
    if (run.rank() == 0) { std::filesystem::resize_file(folder / "checkpoints" / "20.h5", 5000); }
    MPI_Barrier(run.native());

    const auto restored = restore_newest(folder.path(), state);

    ASSERT_TRUE(restored.has_value());
    EXPECT_EQ(restored->label.step, 10);
    ASSERT_EQ(restored->refused.size(), 1u);
    EXPECT_THAT(restored->refused[0], ::testing::HasSubstr("20.h5: cannot be read as HDF5"));
    EXPECT_EQ(rank.differences(), "");
}

TEST(CheckpointLayouts, NothingIsRestoredFromAFolderWithoutCheckpoints) {
    const auto run = Communicator::world();
    const SharedFolder folder;
    RankState rank{{{1, 1, 1}}, {}};

    EXPECT_FALSE(
        restore_newest(folder.path(), {.parameters = rank.parameters(), .pieces = rank.pieces(), .run = &run}));
}

TEST(CheckpointLayouts, ARankThatCannotWriteFailsAllAndLeavesTheOlderFile) {
    const auto run = Communicator::world();
    if (run.size() == 1) { GTEST_SKIP() << "needs two ranks"; }
    const SharedFolder folder;
    const auto found = std::ranges::find_if(layouts, [&](const auto& l) { return l.layout.ranks() == run.size(); });
    save_under(*found, folder / "checkpoint.h5", run);
    const int victim = 1;
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    const auto old_handler = signal(SIGXFSZ, SIG_IGN);
    if (run.rank() == victim) {
        const rlimit small{4096, before.rlim_max};
        setrlimit(RLIMIT_FSIZE, &small);
    }

    std::string message;
    try {
        save_under(*found, folder / "checkpoint.h5", run);
    } catch (const Error& error) { message = error.what(); }
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, old_handler);
    MPI_Barrier(run.native());

    EXPECT_THAT(message, ::testing::HasSubstr("checkpoint.h5"));
    RankState rank{{{1, 1, 1}}, {}};
    load_checkpoint(folder / "checkpoint.h5", ShardedState{.parameters = rank.parameters(), .pieces = rank.pieces()});
    EXPECT_EQ(rank.differences(), "");
    EXPECT_FALSE(std::filesystem::exists(folder / "checkpoint.h5.partial"));
}

}  // namespace
}  // namespace loglog::testing
