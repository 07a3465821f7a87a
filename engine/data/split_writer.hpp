#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "engine/data/manifest.hpp"

namespace loglog {

/// Writes one split's tokens as shards SPLIT-00000.tokens, SPLIT-00001.tokens, ..., each full before the next begins.
class SplitWriter {
  public:
    SplitWriter(std::string folder, Split split, std::uint32_t token_width, std::uint64_t shard_tokens);

    /// One document: its tokens with the end-of-document token, and its size as text.
    void append(std::span<const std::int32_t> tokens, std::uint64_t bytes);
    SplitInfo finish();

  private:
    void open_next();

    std::string folder_;
    Split split_;
    std::uint32_t token_width_;
    std::uint64_t shard_tokens_;
    std::optional<ShardWriter> shard_;
    SplitInfo info_;
};

}  // namespace loglog
