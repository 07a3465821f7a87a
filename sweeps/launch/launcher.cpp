#include "sweeps/launch/launcher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "engine/base/cores.hpp"

namespace loglog {
namespace {

// The leading integer of a variable ("4(x2)" in SLURM_TASKS_PER_NODE is 4); 0 if there is none.
int leading_integer(const char* variable) {
    const char* text = std::getenv(variable);
    if (text == nullptr) { return 0; }
    const std::string_view view{text};
    int value = 0;
    std::from_chars(view.data(), view.data() + view.size(), value);
    return value;
}

bool is_set(const char* variable) { return std::getenv(variable) != nullptr; }

}  // namespace

Launch detect_launch() {
    Launch launch;
    launch.bound_cores = usable_cores();
    launch.host_cores = std::max(launch.bound_cores, online_cores());
    if (is_set("OMPI_COMM_WORLD_SIZE")) {
        launch.launcher = "Open MPI";
        launch.ranks = leading_integer("OMPI_COMM_WORLD_SIZE");
        launch.ranks_on_host = leading_integer("OMPI_COMM_WORLD_LOCAL_SIZE");
    } else if (is_set("PMI_SIZE")) {
        launch.launcher = "PMI";
        launch.ranks = leading_integer("PMI_SIZE");
        launch.ranks_on_host = leading_integer("MPI_LOCALNRANKS");
    } else if (is_set("SLURM_STEP_NUM_TASKS") && is_set("SLURM_PROCID")) {
        launch.launcher = "Slurm";
        launch.ranks = leading_integer("SLURM_STEP_NUM_TASKS");
        launch.ranks_on_host = leading_integer("SLURM_STEP_TASKS_PER_NODE");
    }
    launch.ranks = std::max(1, launch.ranks);
    launch.ranks_on_host = std::clamp(launch.ranks_on_host, 1, launch.ranks);
    return launch;
}

int threads_per_rank(const Launch& launch) {
    if (const int wanted = leading_integer("OMP_NUM_THREADS"); wanted > 0) { return wanted; }
    // A mask narrower than the host is this rank's own; a full one is shared with the host's other ranks.
    const bool bound = launch.bound_cores < launch.host_cores;
    return std::max(1, bound ? launch.bound_cores : launch.bound_cores / launch.ranks_on_host);
}

std::vector<std::string> launch_warnings(const Launch& launch, int threads) {
    std::vector<std::string> warnings;
    const bool bound = launch.bound_cores < launch.host_cores;
    if (launch.ranks_on_host > launch.host_cores) {
        warnings.push_back(
            fmt::format("{} ranks share {} cores of this host: each run will be slower than one alone (use at "
                        "most mpirun -n {})",
                        launch.ranks_on_host, launch.host_cores, launch.host_cores));
    } else if (bound && threads > launch.bound_cores) {
        warnings.push_back(
            fmt::format("{} threads a run are bound to {} core{}: set OMP_NUM_THREADS={} or use mpirun "
                        "--map-by slot:PE={} --bind-to core",
                        threads, launch.bound_cores, launch.bound_cores == 1 ? "" : "s", launch.bound_cores, threads));
    } else if (!bound && threads * launch.ranks_on_host > launch.host_cores) {
        warnings.push_back(fmt::format("{} ranks of {} threads share {} cores of this host", launch.ranks_on_host,
                                       threads, launch.host_cores));
    } else if (!bound && launch.ranks_on_host > 1) {
        warnings.push_back("ranks are not bound to cores and may wander between them: mpirun --bind-to core is faster");
    }
    return warnings;
}

std::string describe(const Launch& launch, int threads) {
    const auto plural = [](int count) { return count == 1 ? "" : "s"; };
    if (launch.launcher.empty()) {
        return fmt::format("one process, {} thread{} (mpirun -n {} trains as many runs at once)", threads,
                           plural(threads), launch.host_cores);
    }
    return fmt::format("{} rank{} by {}, {} on this host of {} core{}, {} thread{} each", launch.ranks,
                       plural(launch.ranks), launch.launcher, launch.ranks_on_host, launch.host_cores,
                       plural(launch.host_cores), threads, plural(threads));
}

}  // namespace loglog
