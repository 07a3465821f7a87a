#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/random.hpp"
#include "engine/data/split.hpp"
#include "engine/tokenizer/tokenizer.hpp"

namespace loglog {

enum class OpenCheck {
    checksums,   ///< read every shard once and compare its checksum
    sizes_only,  ///< manifest, headers and file sizes: constant time
};

/// The tokens of a corpus, three splits of them, read-only. Every document is followed by an end-of-document token.
/// From a folder that `loglog data build` wrote the tokens are memory-mapped. Cheap to copy, safe to share by threads.
class TokenDataset {
  public:
    /// Throws InputError when the folder is no data set, and Error when a shard is missing or damaged (the message
    /// names the file, what was expected and found, and the command that rebuilds it).
    static TokenDataset open(const std::string& folder, OpenCheck check = OpenCheck::checksums);

    /// Zipf-distributed text with a first-order word structure (synthetic.hpp), tokenized by bytes; document i depends
    /// on `seed` and i only. Throws InputError unless `documents` > 0.
    static TokenDataset synthetic(std::int64_t documents, Seed seed);

    /// Exactly these texts, duplicates dropped, split and ordered as `data build` would.
    static TokenDataset from_texts(std::vector<std::string> texts, const Tokenizer& tokenizer,
                                   SplitFractions fractions);

    /// No text at all: what runs have whose examples are made on the fly from `vocab` tokens. `hash` identifies these.
    static TokenDataset without_text(std::int32_t vocab, std::string hash);

    std::uint64_t tokens(Split split) const noexcept { return part(split).tokens; }
    std::uint64_t documents(Split split) const noexcept { return part(split).documents; }
    /// Bytes of text; end-of-document tokens count none.
    std::uint64_t bytes(Split split) const noexcept { return part(split).bytes; }
    /// bytes / tokens, end-of-document tokens included in the tokens; 0 for an empty split.
    double bytes_per_token(Split split) const noexcept;

    std::int32_t vocab_size() const noexcept { return vocab_; }
    const Tokenizer& tokenizer() const noexcept { return tokenizer_; }
    /// Hexadecimal hash of the tokenizer and of every split's tokens.
    const std::string& hash() const noexcept { return hash_; }

    /// Copies the tokens [first, first + out.size()) of a split. Throws InputError beyond its end.
    void read(Split split, std::uint64_t first, std::span<std::int32_t> out) const;

  private:
    struct Segment {
        std::uint64_t first;  // index of its first token in the split
        std::uint64_t tokens;
        const std::byte* data;              // tokens of `bytes_per_token_` bytes each, little endian
        std::shared_ptr<const void> owner;  // what keeps `data` alive
    };
    struct Part {
        std::uint64_t tokens = 0;
        std::uint64_t documents = 0;
        std::uint64_t bytes = 0;
        std::vector<Segment> segments;
    };

    explicit TokenDataset(Tokenizer tokenizer) : tokenizer_{std::move(tokenizer)}, vocab_{tokenizer_.vocab_size()} {}
    const Part& part(Split split) const noexcept { return parts_[static_cast<std::size_t>(split)]; }

    Tokenizer tokenizer_;
    std::int32_t vocab_;
    std::string hash_;
    std::size_t token_width_ = 2;  // bytes per stored token: 2 or 4
    std::array<Part, 3> parts_;
};

}  // namespace loglog
