#include "engine/tensor/arena.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

#include "engine/base/error.hpp"
#include "engine/tensor/storage.hpp"

namespace loglog {
namespace {

TEST(Arena, GivesAlignedBlocksThatDoNotOverlap) {
    Arena arena;
    std::byte* previous_end = nullptr;
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{64}, std::size_t{100}, std::size_t{5'000'000}}) {
        std::byte* block = arena.allocate(bytes);
        std::memset(block, 1, bytes);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % Arena::alignment, 0u);
        EXPECT_NE(block, previous_end);
        previous_end = block;
    }
}

TEST(Arena, HandsTheLatestReleasedBlockOfTheSizeOutAgain) {
    Arena arena;
    std::byte* a = arena.allocate(1000);
    std::byte* b = arena.allocate(1000);
    arena.allocate(10);
    arena.release(a, 1000);
    arena.release(b, 1000);

    EXPECT_EQ(arena.allocate(1000), b);
    EXPECT_EQ(arena.allocate(1000), a);
}

TEST(Arena, ShrinksPastFreeBlocksBelowTheTop) {
    Arena arena;
    std::byte* a = arena.allocate(64);
    std::byte* b = arena.allocate(128);
    std::byte* c = arena.allocate(256);
    arena.release(a, 64);
    arena.release(b, 128);
    arena.release(c, 256);

    EXPECT_EQ(arena.allocate(448), a);
    EXPECT_EQ(arena.peak_bytes(), 448u);
}

TEST(Arena, HasOneChunkAfterAReset) {
    Arena arena;
    for (int i = 0; i < 40; ++i) { arena.allocate(std::size_t{1} << 20); }
    arena.reset();
    std::byte* first = arena.allocate(std::size_t{20} << 20);

    EXPECT_EQ(arena.allocate(std::size_t{20} << 20), first + (std::size_t{20} << 20));
}

TEST(Arena, CountsInAddressesThatNeedNoMemory) {
    Arena arena{Backing::address_space};
    const std::size_t more_than_any_machine_has = std::size_t{1} << 39;

    std::byte* block = arena.allocate(more_than_any_machine_has);

    EXPECT_NE(block, nullptr);
    EXPECT_EQ(arena.peak_bytes(), more_than_any_machine_has);
}

TEST(Arena, CountsTheSameInMemoryAndInAddresses) {
    Arena real{Backing::memory, 1 << 20};
    Arena counted{Backing::address_space};
    for (auto* arena : {&real, &counted}) {
        std::byte* a = arena->allocate(1000);
        arena->allocate(500);
        arena->release(a, 1000);
        arena->allocate(700);
        arena->allocate(1000);
    }

    EXPECT_EQ(real.peak_bytes(), counted.peak_bytes());
    EXPECT_EQ(real.bytes_in_use(), counted.bytes_in_use());
}

TEST(Storage, StartsAsZerosAndMoves) {
    Storage storage{Backing::memory, 4096};
    EXPECT_EQ(storage.data()[4095], std::byte{0});
    const auto* data = storage.data();

    Storage other;
    other = std::move(storage);

    EXPECT_EQ(other.data(), data);
    EXPECT_EQ(other.bytes(), 4096u);
}

TEST(Storage, SaysHowMuchItCouldNotGet) {
    try {
        Storage{Backing::memory, std::size_t{1} << 60};
        FAIL();
    } catch (const Error& error) {
        EXPECT_NE(std::string{error.what()}.find("1099511627776 MiB"), std::string::npos) << error.what();
    }
}

}  // namespace
}  // namespace loglog
