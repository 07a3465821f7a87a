#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/data/manifest.hpp"
#include "engine/data/split.hpp"
#include "engine/data/staging_folder.hpp"

namespace loglog {

struct BuildOptions {
    std::string out;                   ///< folder to make
    std::vector<std::string> paths;    ///< files, folders, glob patterns
    std::vector<std::string> include;  ///< patterns that files in folders must match one of; none: all
    std::string tokenizer = "bytes";   ///< "bytes", "bpe:N", or the path of a tokenizer.json
    std::string separator;             ///< text between the documents of a file; empty: a file is a document
    SplitFractions fractions;
    std::uint64_t shard_tokens = std::uint64_t{64} << 20;
    unsigned threads = 0;  ///< 0: as many as there are cores; never changes the result
    Existing existing = Existing::refuse;
};

struct BuildProgress {
    std::string_view phase;  ///< "read", "count", "merge", "tokenize"
    std::string_view unit;   ///< of done and total: "B" or "merges"
    std::uint64_t done;
    std::uint64_t total;  ///< 0: unknown
};

struct BuildResult {
    Manifest manifest;
    bool is_already_built = false;   ///< `out` held the same data set and was left as it is
    std::vector<std::string> notes;  ///< what a user should know, such as an empty validation split
};

/// Makes a data set folder (docs/formats.md) that depends on the documents' content and the settings alone, not on
/// names, order or threads. `out` appears whole or not at all.
///
/// progress   called one at a time, from any thread
/// Throws InputError for bad options and unreadable input, and when `out` holds something else (unless
/// Existing::replace); Error when writing fails.
BuildResult build_dataset(const BuildOptions& options, const std::function<void(const BuildProgress&)>& progress = {});

}  // namespace loglog
