#include "sweeps/scheduler/run_lock.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <type_traits>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

static_assert(!std::is_copy_constructible_v<RunLock> && std::is_nothrow_move_constructible_v<RunLock>);

class RunLockTest : public ::testing::Test {
  protected:
    void SetUp() override {
        registry_ = std::filesystem::temp_directory_path() / ("loglog-lock-" + std::to_string(::getpid()));
        std::filesystem::create_directories(registry_);
    }
    void TearDown() override { std::filesystem::remove_all(registry_); }

    std::filesystem::path registry_;
};

TEST_F(RunLockTest, IsHeldByOneAtATime) {
    {
        const auto mine = RunLock::try_acquire(registry_, "abc");
        ASSERT_TRUE(mine);
        EXPECT_FALSE(RunLock::try_acquire(registry_, "abc"));
        EXPECT_TRUE(RunLock::try_acquire(registry_, "other"));
    }
    EXPECT_TRUE(RunLock::try_acquire(registry_, "abc"));
    EXPECT_TRUE(std::filesystem::is_empty(registry_ / "locks")) << "released locks leave no files";
}

TEST_F(RunLockTest, OutlivesNoProcess) {
    const pid_t child = ::fork();
    if (child == 0) {
        const auto held = RunLock::try_acquire(registry_, "abc");
        ::_exit(held ? 0 : 1);  // without releasing it
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_EQ(status, 0);

    EXPECT_TRUE(RunLock::try_acquire(registry_, "abc"));
}

TEST_F(RunLockTest, SaysWhichFileCannotBeMade) {
    const auto blocked = std::filesystem::path{"/proc/loglog-none"};
    EXPECT_THROW(RunLock::try_acquire(blocked, "abc"), Error);
}

}  // namespace
}  // namespace loglog
