#include "engine/data/parallel.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace loglog {
namespace {

TEST(ParallelFor, CallsEveryIndexOnce) {
    for (const unsigned threads : {1u, 3u, 8u}) {
        std::vector<int> calls(1'000);
        parallel_for(calls.size(), threads, [&](unsigned thread, std::size_t index) {
            EXPECT_LT(thread, threads);
            ++calls[index];
        });
        EXPECT_THAT(calls, ::testing::Each(1));
    }
    parallel_for(0, 4, [](unsigned, std::size_t) { FAIL() << "nothing to do"; });
}

TEST(ParallelFor, PassesOnAnException) {
    try {
        parallel_for(100, 4, [](unsigned, std::size_t index) {
            if (index == 40) { throw std::runtime_error{"at 40"}; }
        });
        FAIL() << "the exception got lost";
    } catch (const std::runtime_error& error) { EXPECT_STREQ(error.what(), "at 40"); }
}

}  // namespace
}  // namespace loglog
