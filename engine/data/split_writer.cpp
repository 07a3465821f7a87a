#include "engine/data/split_writer.hpp"

#include <algorithm>
#include <cstdio>

namespace loglog {

SplitWriter::SplitWriter(std::string folder, Split split, std::uint32_t token_width, std::uint64_t shard_tokens)
    : folder_{std::move(folder)}, split_{split}, token_width_{token_width}, shard_tokens_{shard_tokens} {}

void SplitWriter::open_next() {
    char number[24];
    std::snprintf(number, sizeof number, "-%05zu.tokens", info_.shards.size());
    shard_.emplace(folder_, std::string{to_string(split_)} + number, token_width_);
}

void SplitWriter::append(std::span<const std::int32_t> tokens, std::uint64_t bytes) {
    ++info_.documents;
    info_.bytes += bytes;
    info_.tokens += tokens.size();
    while (!tokens.empty()) {
        if (!shard_) { open_next(); }
        const auto count =
            static_cast<std::size_t>(std::min<std::uint64_t>(tokens.size(), shard_tokens_ - shard_->tokens()));
        shard_->append(tokens.first(count));
        tokens = tokens.subspan(count);
        if (shard_->tokens() == shard_tokens_) {
            info_.shards.push_back(shard_->finish());
            shard_.reset();
        }
    }
}

SplitInfo SplitWriter::finish() {
    if (shard_) { info_.shards.push_back(shard_->finish()); }
    shard_.reset();
    return std::move(info_);
}

}  // namespace loglog
