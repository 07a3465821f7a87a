#pragma once

#include <string>
#include <vector>

namespace loglog {

/// How this process was started, as far as its environment says.
struct Launch {
    std::string launcher;   ///< "Open MPI", "Slurm", "PMI" or "" (none)
    int ranks = 1;          ///< of the whole job
    int ranks_on_host = 1;  ///< sharing this host
    int bound_cores = 1;    ///< usable_cores()
    int host_cores = 1;     ///< online_cores()
};
Launch detect_launch();

/// Threads each rank of this host can have without sharing cores; OMP_NUM_THREADS wins. At least 1.
int threads_per_rank(const Launch& launch);

/// What is wrong with how the ranks share this host, in words; empty if nothing. `threads` a rank.
std::vector<std::string> launch_warnings(const Launch& launch, int threads);

/// "4 ranks by Open MPI, 4 on this host of 8 cores, 2 threads each"
std::string describe(const Launch& launch, int threads);

}  // namespace loglog
