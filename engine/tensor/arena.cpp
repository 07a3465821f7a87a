#include "engine/tensor/arena.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr std::size_t page_bytes = std::size_t{2} << 20;  // one huge page

constexpr std::size_t addresses_to_count_in = std::size_t{1} << 40;

constexpr std::size_t round_up(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

Arena::Arena(Backing backing, std::size_t initial_bytes) : backing_{backing} {
    free_blocks_.reserve(256);
    chunks_.reserve(16);
    if (initial_bytes > 0) { add_chunk(initial_bytes); }
}

Arena::Arena(Arena&& other) noexcept
    : backing_{other.backing_},
      chunks_{std::move(other.chunks_)},
      free_blocks_{std::move(other.free_blocks_)},
      top_{std::exchange(other.top_, 0)},
      full_{std::exchange(other.full_, 0)},
      in_use_{std::exchange(other.in_use_, 0)},
      peak_{other.peak_} {
    other.chunks_.clear();
}

Arena::~Arena() { unmap_all(); }

void Arena::unmap_all() noexcept {
    for (const auto& chunk : chunks_) { munmap(chunk.data, chunk.size); }
    chunks_.clear();
}

void Arena::add_chunk(std::size_t at_least) {
    const std::size_t last = chunks_.empty() ? 0 : chunks_.back().size;
    const bool real = backing_ == Backing::memory;
    // Addresses cost nothing, so counting gets enough for any model at once and never a second chunk.
    const std::size_t wanted = real ? std::max(at_least, last * 2) : std::max(at_least, addresses_to_count_in);
    const std::size_t size = round_up(wanted, page_bytes);
    void* data = mmap(nullptr, size, real ? PROT_READ | PROT_WRITE : PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | (real ? 0 : MAP_NORESERVE), -1, 0);
    if (data == MAP_FAILED) {
        throw Error{"cannot get " + std::to_string(size >> 20) + " MiB for activations: " + std::strerror(errno) +
                    " (a smaller train.micro_batch needs less)"};
    }
    if (real) { madvise(data, size, MADV_HUGEPAGE); }  // a hint: failure costs speed only
    if (!chunks_.empty()) { full_ += chunks_.back().size; }
    chunks_.push_back({static_cast<std::byte*>(data), size});
    top_ = 0;
}

std::byte* Arena::allocate(std::size_t bytes) {
    bytes = round_up(std::max<std::size_t>(bytes, 1), alignment);
    in_use_ += bytes;
    const auto reusable = std::find_if(free_blocks_.rbegin(), free_blocks_.rend(),
                                       [&](const FreeBlock& block) { return block.size == bytes; });
    if (reusable != free_blocks_.rend()) {
        std::byte* data = reusable->data;
        free_blocks_.erase(std::next(reusable).base());
        return data;
    }
    if (chunks_.empty() || top_ + bytes > chunks_.back().size) { add_chunk(bytes); }
    std::byte* data = chunks_.back().data + top_;
    top_ += bytes;
    peak_ = std::max(peak_, full_ + top_);
    return data;
}

void Arena::release(std::byte* block, std::size_t bytes) noexcept {
    bytes = round_up(std::max<std::size_t>(bytes, 1), alignment);
    in_use_ -= bytes;
    if (!chunks_.empty() && block + bytes == chunks_.back().data + top_) {
        top_ -= bytes;
        absorb_free_blocks();
    } else if (free_blocks_.size() < free_blocks_.capacity()) {
        free_blocks_.push_back({block, bytes});  // beyond the capacity a block is merely not reused before reset
    }
}

void Arena::absorb_free_blocks() noexcept {
    for (auto block = free_blocks_.rbegin(); block != free_blocks_.rend();) {
        if (block->data + block->size == chunks_.back().data + top_) {
            top_ -= block->size;
            free_blocks_.erase(std::next(block).base());
            block = free_blocks_.rbegin();
        } else {
            ++block;
        }
    }
}

void Arena::reset() {
    free_blocks_.clear();
    in_use_ = 0;
    if (chunks_.size() > 1) {
        const std::size_t total = full_ + chunks_.back().size;
        unmap_all();
        full_ = 0;
        add_chunk(total);
    }
    top_ = 0;
}

}  // namespace loglog
