#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace loglog {

/// Blocks of one size that operations borrow while they are under way: fresh memory would cost more than the messages.
class ScratchPool {
  public:
    static constexpr std::size_t block_bytes = 768 << 10;

    /// One block, given back when destroyed.
    class Block {
      public:
        explicit Block(std::shared_ptr<ScratchPool> pool) : pool_{std::move(pool)}, bytes_{pool_->take()} {}
        ~Block() { pool_->free_.push_back(std::move(bytes_)); }
        Block(const Block&) = delete;
        Block& operator=(const Block&) = delete;

        template <class T>
        std::span<T> as() noexcept {
            return {reinterpret_cast<T*>(bytes_.get()), block_bytes / sizeof(T)};
        }

      private:
        std::shared_ptr<ScratchPool> pool_;
        std::unique_ptr<std::byte[]> bytes_;
    };

  private:
    std::unique_ptr<std::byte[]> take() {
        if (free_.empty()) {
            ++blocks_;
            free_.reserve(blocks_);  // giving back must not allocate
            return std::make_unique_for_overwrite<std::byte[]>(block_bytes);
        }
        auto block = std::move(free_.back());
        free_.pop_back();
        return block;
    }

    std::vector<std::unique_ptr<std::byte[]>> free_;
    std::size_t blocks_ = 0;
};

}  // namespace loglog
