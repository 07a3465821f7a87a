#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace loglog {

/// What is trained on, or evaluated, at each position of the data order: tokens of one sequence and what is to be
/// predicted at each of them, -1 where nothing is.
class WindowSource {
  public:
    /// From `read(position, window)`, which fills context + 1 tokens: each but the last is followed by its target.
    template <class Read>
    requires std::invocable<Read&, std::uint64_t, std::span<std::int32_t>> WindowSource(Read read)
        : fill_{[read = std::move(read), window = std::vector<std::int32_t>{}](
                    std::uint64_t position, std::span<std::int32_t> tokens, std::span<std::int32_t> targets) mutable {
              window.resize(tokens.size() + 1);
              read(position, std::span{window});
              std::copy_n(window.begin(), tokens.size(), tokens.begin());
              std::copy_n(window.begin() + 1, targets.size(), targets.begin());
          }},
          has_labels_{false} {}

    /// From `make(position, tokens, targets)`, where not every token needs a target.
    template <class Make>
    requires std::invocable<Make&, std::uint64_t, std::span<std::int32_t>, std::span<std::int32_t>> WindowSource(
        Make make)
        : fill_{std::move(make)}, has_labels_{true} {}

    void operator()(std::uint64_t position, std::span<std::int32_t> tokens, std::span<std::int32_t> targets) const {
        fill_(position, tokens, targets);
    }

    /// Whether some tokens may have no target.
    bool has_labels() const noexcept { return has_labels_; }

    /// The token after which another document begins, where the source knows one.
    std::optional<std::int32_t> end_of_document() const noexcept { return end_of_document_; }
    WindowSource with_end_of_document(std::int32_t token) && {
        end_of_document_ = token;
        return std::move(*this);
    }

  private:
    std::function<void(std::uint64_t, std::span<std::int32_t>, std::span<std::int32_t>)> fill_;
    bool has_labels_;
    std::optional<std::int32_t> end_of_document_;
};

}  // namespace loglog
