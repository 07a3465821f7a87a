#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/base/random.hpp"
#include "engine/kernels/attention.hpp"

namespace loglog {

/// The numbers that decide what dropout drops. Each is addressed by global indices alone, so it depends neither on how
/// a batch is cut into micro-batches, ranks and threads, nor on the order in which elements are visited.
///
/// First the stream's key and (step, layer, head) give a key of their own by one Philox block; residual dropout has
/// head 0. Under that key, block (column / 4, row, line) holds the numbers of four neighbouring columns:
///   residual dropout    column = channel, row = 0, line = global token index;
///   attention dropout   column = key position, row = query position, line = global sequence index.
class DropoutNumbers {
  public:
    /// 0 <= probability < 1
    DropoutNumbers(float probability, std::array<std::uint32_t, 2> key, std::uint64_t step, std::uint32_t layer,
                   std::uint32_t head) noexcept
        : threshold_{static_cast<std::uint32_t>(static_cast<double>(probability) * 0x1.0p32)} {
        const auto block =
            philox({static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(step >> 32), layer, head}, key);
        key_ = {block[0], block[1]};
    }

    /// What column 4 * block + i is multiplied by, for i = 0..3: 0 or `kept`.
    template <class T>
    std::array<T, 4> factors(std::size_t block, std::size_t row, std::uint64_t line, T kept) const noexcept {
        const auto bits = philox({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(row),
                                  static_cast<std::uint32_t>(line), static_cast<std::uint32_t>(line >> 32)},
                                 key_);
        std::array<T, 4> result;
        for (std::size_t i = 0; i < 4; ++i) { result[i] = bits[i] >= threshold_ ? kept : T{0}; }
        return result;
    }

  private:
    std::array<std::uint32_t, 2> key_;
    std::uint32_t threshold_;
};

/// The numbers of one head (counted from 0 within this call) of an attention kernel.
inline DropoutNumbers dropout_numbers(const AttentionDropout& dropout, std::size_t head) noexcept {
    return {dropout.probability, dropout.key, dropout.step, dropout.layer,
            dropout.first_head + static_cast<std::uint32_t>(head)};
}

}  // namespace loglog
