#include <cstdio>

#include "distributed/collectives/all_reduce_rate.hpp"
#include "distributed/collectives/mpi_group.hpp"
#include "distributed/mpi/session.hpp"

/// All-reduce by size: buffer bytes per second, as in `mpirun -n 2 all_reduce_bench`. Its iterations are the same on
/// every rank, which Google Benchmark does not give.
int main() {
    using namespace loglog;
    const MpiSession session;
    const auto world = Communicator::world();
    const auto fast = make_group(Communicator::world(), Reduction::fast, "bench");
    const auto tree = make_group(Communicator::world(), Reduction::tree, "bench");
    if (world.rank() == 0) { std::printf("%d ranks\n   bytes   fast us    GB/s   tree us    GB/s\n", world.size()); }
    for (std::size_t bytes = 1 << 10; bytes <= 64 << 20; bytes *= 4) {
        const double fast_seconds = all_reduce_seconds(*fast, bytes);
        const double tree_seconds = all_reduce_seconds(*tree, bytes);
        const auto rate = [&](double seconds) { return static_cast<double>(bytes) / seconds * 1e-9; };
        if (world.rank() != 0) { continue; }
        std::printf("%8zu %9.1f %7.2f %9.1f %7.2f\n", bytes, 1e6 * fast_seconds, rate(fast_seconds), 1e6 * tree_seconds,
                    rate(tree_seconds));
    }
}
