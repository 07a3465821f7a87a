#include "engine/base/unique_handle.hpp"

#include <gtest/gtest.h>

#include <type_traits>
#include <vector>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

struct CountingTraits {
    using Native = int;
    static int null() noexcept { return -1; }
    static void close(int handle) noexcept { closed().push_back(handle); }
    static std::vector<int>& closed() {
        static std::vector<int> handles;
        return handles;
    }
};

using Handle = UniqueHandle<CountingTraits>;
static_assert(!std::is_copy_constructible_v<Handle> && std::is_nothrow_move_constructible_v<Handle>);
static_assert(std::is_nothrow_move_assignable_v<Handle>);

TEST(UniqueHandle, ClosesOnceWhoeverEndsUpOwning) {
    CountingTraits::closed().clear();
    {
        Handle a{3};
        Handle b{std::move(a)};
        Handle c{4};
        c = std::move(b);
        EXPECT_EQ(CountingTraits::closed(), std::vector<int>{4});
        EXPECT_FALSE(b);  // NOLINT: moved from on purpose
        EXPECT_EQ(c.get(), 3);
    }
    EXPECT_EQ(CountingTraits::closed(), (std::vector<int>{4, 3}));
}

TEST(UniqueHandle, ForgetsWhatItReleases) {
    CountingTraits::closed().clear();
    {
        Handle a{5};
        EXPECT_EQ(a.release(), 5);
    }
    EXPECT_TRUE(CountingTraits::closed().empty());
}

TEST(ExitCode, FollowsTheKindOfError) {
    EXPECT_EQ(exit_code(Error{"x"}.kind()), 1);
    EXPECT_EQ(exit_code(InputError{"x"}.kind()), 2);
    EXPECT_EQ(exit_code(Error{"x", ErrorKind::interrupted}.kind()), 75);
}

}  // namespace
}  // namespace loglog
