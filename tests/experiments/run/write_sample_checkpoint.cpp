// write_sample_checkpoint PATH, by 4 ranks: a checkpoint for checkpoint_h5py_test.py.
#include <cstdio>

#include "distributed/mpi/communicator.hpp"
#include "distributed/mpi/session.hpp"
#include "experiments/run/checkpoint.hpp"
#include "tests/experiments/run/checkpoint_case.hpp"

int main(int argc, char** argv) {
    using namespace loglog;
    using namespace loglog::testing;
    if (argc != 2) { return 2; }
    const MpiSession session;
    const auto run = Communicator::world();
    const StateLayout layout{{1, 2, 2}};
    if (run.size() != layout.layout.ranks()) { return 2; }
    RankState rank{layout, place_of(layout.layout, run.rank())};
    rank.fill();
    save_checkpoint(argv[1], {.parameters = rank.parameters(), .pieces = rank.pieces(), .run = &run},
                    {"3f2a9c01d4be", 120, "hash"});
    if (run.rank() != 0) { return 0; }
    // For the reader to compare with: a cut matrix by its entries.
    const std::string name = "token_embedding";
    const auto config = checkpoint_config();
    for (std::int64_t i = 0; i < config.vocab * config.width; ++i) {
        std::printf("%.9g\n", static_cast<double>(entry(0, name, i)));
    }
}
