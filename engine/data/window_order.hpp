#pragma once

#include <cstdint>

#include "engine/base/random.hpp"

namespace loglog {

/// Which window of a split is trained when. A split of T tokens holds (T - 1) / context windows: window w reads the
/// tokens [w * context, (w + 1) * context] (context + 1 of them), whose last is only a target, so windows share nothing
/// else.
///
/// Position i, from 0 without end, lies in epoch i / windows(); an epoch visits every window once, in an order that
/// depends on the seed and the epoch only. Nothing is remembered, so any position can be resumed from, on any rank.
class WindowOrder {
  public:
    /// Throws InputError when the split is too short for one window, or `context` is 0.
    WindowOrder(std::uint64_t split_tokens, std::int64_t context, Seed seed);

    std::uint64_t windows() const noexcept { return windows_; }
    std::uint64_t epoch(std::uint64_t position) const noexcept { return position / windows_; }
    /// The window trained at `position`, in [0, windows()).
    std::uint64_t window_at(std::uint64_t position) const noexcept;
    /// Where that window begins in the split; read context + 1 tokens from there.
    std::uint64_t first_token(std::uint64_t position) const noexcept { return window_at(position) * context_; }

  private:
    std::uint64_t windows_;
    std::uint64_t context_;
    Seed seed_;
};

}  // namespace loglog
