#include "sweeps/launch/launcher.hpp"

#include <gmock/gmock.h>

#include <cstdlib>

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LauncherTest : public ::testing::Test {
  protected:
    void SetUp() override {
        for (const char* variable : {"OMP_NUM_THREADS", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE",
                                     "PMI_SIZE", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_STEP_TASKS_PER_NODE"}) {
            ::unsetenv(variable);
        }
    }
};

TEST_F(LauncherTest, WithoutLauncherIsOneProcessWithAllItsCores) {
    const Launch launch = detect_launch();

    EXPECT_EQ(launch.launcher, "");
    EXPECT_EQ(launch.ranks, 1);
    EXPECT_EQ(threads_per_rank(launch), launch.bound_cores);
    EXPECT_THAT(launch_warnings(launch, threads_per_rank(launch)), IsEmpty());
}

TEST_F(LauncherTest, ReadsOpenMpi) {
    ::setenv("OMPI_COMM_WORLD_SIZE", "8", 1);
    ::setenv("OMPI_COMM_WORLD_LOCAL_SIZE", "4", 1);

    const Launch launch = detect_launch();

    EXPECT_EQ(launch.launcher, "Open MPI");
    EXPECT_EQ(launch.ranks, 8);
    EXPECT_EQ(launch.ranks_on_host, 4);
}

TEST_F(LauncherTest, ReadsSlurm) {
    ::setenv("SLURM_STEP_NUM_TASKS", "8", 1);
    ::setenv("SLURM_PROCID", "3", 1);
    ::setenv("SLURM_STEP_TASKS_PER_NODE", "4(x2)", 1);

    const Launch launch = detect_launch();

    EXPECT_EQ(launch.launcher, "Slurm");
    EXPECT_EQ(launch.ranks, 8);
    EXPECT_EQ(launch.ranks_on_host, 4);
}

TEST_F(LauncherTest, SharesTheHostsCoresAmongItsRanks) {
    const Launch unbound{.launcher = "Open MPI", .ranks = 4, .ranks_on_host = 4, .bound_cores = 8, .host_cores = 8};
    const Launch bound{.launcher = "Open MPI", .ranks = 4, .ranks_on_host = 4, .bound_cores = 2, .host_cores = 8};
    const Launch crowded{.launcher = "Open MPI", .ranks = 9, .ranks_on_host = 9, .bound_cores = 8, .host_cores = 8};

    EXPECT_EQ(threads_per_rank(unbound), 2);
    EXPECT_EQ(threads_per_rank(bound), 2);
    EXPECT_EQ(threads_per_rank(crowded), 1);
    ::setenv("OMP_NUM_THREADS", "3", 1);
    EXPECT_EQ(threads_per_rank(unbound), 3);
}

TEST_F(LauncherTest, WarnsOfCrowdingAndOfMissingBinding) {
    const Launch unbound{.launcher = "Open MPI", .ranks = 4, .ranks_on_host = 4, .bound_cores = 8, .host_cores = 8};
    const Launch bound{.launcher = "Open MPI", .ranks = 4, .ranks_on_host = 4, .bound_cores = 1, .host_cores = 8};
    const Launch crowded{.launcher = "Open MPI", .ranks = 9, .ranks_on_host = 9, .bound_cores = 8, .host_cores = 8};

    EXPECT_THAT(launch_warnings(unbound, 2), ElementsAre(HasSubstr("not bound to cores")));
    EXPECT_THAT(launch_warnings(unbound, 4), ElementsAre(HasSubstr("4 ranks of 4 threads share 8 cores")));
    EXPECT_THAT(launch_warnings(bound, 1), IsEmpty());
    EXPECT_THAT(launch_warnings(bound, 2), ElementsAre(HasSubstr("2 threads a run are bound to 1 core")));
    EXPECT_THAT(launch_warnings(crowded, 1), ElementsAre(HasSubstr("9 ranks share 8 cores")));
}

}  // namespace
}  // namespace loglog
