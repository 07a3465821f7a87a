#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace loglog {

/// Whether an arena's addresses can be touched.
enum class Backing : std::uint8_t {
    memory,         ///< real, huge-page advised memory
    address_space,  ///< reserved addresses without memory behind them, for counting what a computation would need
};

/// Bump allocator for one micro-batch's activations: reset between micro-batches, never freed, so after the first
/// step no allocation happens. Blocks given back early (`release`) are handed out again to requests of the same size,
/// which keeps the backward pass in cache.
class Arena {
  public:
    static constexpr std::size_t alignment = 64;

    explicit Arena(Backing backing = Backing::memory, std::size_t initial_bytes = 0);
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    Arena(Arena&& other) noexcept;
    Arena& operator=(Arena&&) = delete;
    ~Arena();

    /// Uninitialised, 64-byte aligned memory that lives until `reset`. Throws Error when the system has none left.
    std::byte* allocate(std::size_t bytes);
    /// Gives a block back before `reset`; `bytes` as it was asked for.
    void release(std::byte* block, std::size_t bytes) noexcept;
    /// Forgets all blocks. If the last round needed several chunks, replaces them by one that holds everything.
    void reset();

    Backing backing() const noexcept { return backing_; }
    std::size_t bytes_in_use() const noexcept { return in_use_; }
    /// The most bytes that were handed out at once plus what lies between them, over the arena's life.
    std::size_t peak_bytes() const noexcept { return peak_; }

  private:
    struct Chunk {
        std::byte* data;
        std::size_t size;
    };
    struct FreeBlock {
        std::byte* data;
        std::size_t size;
    };

    void add_chunk(std::size_t at_least);
    void absorb_free_blocks() noexcept;
    void unmap_all() noexcept;

    Backing backing_;
    std::vector<Chunk> chunks_;
    std::vector<FreeBlock> free_blocks_;
    std::size_t top_ = 0;   // offset into the last chunk
    std::size_t full_ = 0;  // bytes of the chunks before the last one
    std::size_t in_use_ = 0;
    std::size_t peak_ = 0;
};

}  // namespace loglog
