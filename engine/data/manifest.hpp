#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/data/shard.hpp"
#include "engine/data/split.hpp"

namespace loglog {

inline constexpr const char* manifest_file = "manifest.json";
inline constexpr const char* tokenizer_file = "tokenizer.json";
inline constexpr std::int64_t manifest_version = 1;

/// One split of a data set.
struct SplitInfo {
    std::uint64_t documents = 0;
    std::uint64_t tokens = 0;  ///< one end-of-document token per document included
    std::uint64_t bytes = 0;   ///< of text
    std::vector<ShardInfo> shards;
};

/// Files that were found and left out.
struct DroppedFiles {
    std::uint64_t duplicate = 0;  ///< the same bytes as another file
    std::uint64_t binary = 0;     ///< with a NUL byte
    std::uint64_t not_utf8 = 0;
    std::uint64_t empty = 0;
};

/// manifest.json: what a data set holds and how to make it again (docs/formats.md).
struct Manifest {
    std::string tokenizer;  ///< "bytes", "bpe:N"
    std::string tokenizer_hash;
    std::int32_t vocab_size = 0;
    std::int32_t end_of_document = 0;
    std::uint32_t token_width = 2;
    SplitFractions fractions;
    std::array<SplitInfo, 3> splits;  ///< by Split
    std::uint64_t files = 0;          ///< found, dropped ones included
    DroppedFiles dropped;
    std::string input_hash;  ///< of the documents and of every setting: equal means that a build would give the same
    std::string data_hash;   ///< of the tokenizer and the tokens: data_hash()
    std::string rebuild;     ///< a command line that makes it again

    const SplitInfo& split(Split which) const noexcept { return splits[static_cast<std::size_t>(which)]; }
    SplitInfo& split(Split which) noexcept { return splits[static_cast<std::size_t>(which)]; }
};

std::string to_json(const Manifest& manifest);
/// Throws InputError naming `source` for text that is no manifest of this version.
Manifest manifest_from_json(const std::string& text, const std::string& source);
/// Reads `folder`/manifest.json. Throws InputError when there is none.
Manifest read_manifest(const std::string& folder);

/// The identity of a data set's content, from the tokenizer's hash and each shard's split, tokens and checksum.
std::string data_hash(const Manifest& manifest);

}  // namespace loglog
