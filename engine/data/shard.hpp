#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/unique_handle.hpp"

namespace loglog {

/// The first 64 bytes of a shard file, little endian; tokens follow to the end of the file.
struct ShardHeader {
    std::array<char, 8> magic;
    std::uint32_t version;
    std::uint32_t token_width;  ///< bytes per token: 2, or 4 for vocabularies above 65,536
    std::uint64_t tokens;
    std::uint64_t checksum;  ///< XXH3-64 of the tokens' bytes
    std::array<std::uint64_t, 4> reserved;
};
static_assert(sizeof(ShardHeader) == 64);

inline constexpr std::array<char, 8> shard_magic{'L', 'O', 'G', 'T', 'O', 'K', 'E', 'N'};
inline constexpr std::uint32_t shard_version = 1;

/// Bytes per stored token for a vocabulary.
constexpr std::uint32_t token_width_for(std::int32_t vocab_size) noexcept { return vocab_size <= 65'536 ? 2 : 4; }

struct ShardInfo {
    std::string file;  ///< name inside the data set's folder
    std::uint64_t tokens = 0;
    std::uint64_t checksum = 0;
};

struct FileTraits {
    using Native = std::FILE*;
    static std::FILE* null() noexcept { return nullptr; }
    static void close(std::FILE* file) noexcept { std::fclose(file); }
};

/// Writes one shard. Until finish() the header is all zero, so that a file cut off by a kill is no valid shard.
class ShardWriter {
  public:
    /// Throws Error with the system's reason when the file cannot be created.
    ShardWriter(const std::string& folder, const std::string& file, std::uint32_t token_width);
    ShardWriter(ShardWriter&&) noexcept;
    ShardWriter& operator=(ShardWriter&&) noexcept;
    ~ShardWriter();

    void append(std::span<const std::int32_t> tokens);
    std::uint64_t tokens() const noexcept { return info_.tokens; }
    /// Writes the header, flushes to disk and closes.
    ShardInfo finish();

  private:
    struct Digest;
    void write(const void* bytes, std::size_t size);
    [[noreturn]] void fail() const;

    std::string path_;
    UniqueHandle<FileTraits> file_;
    std::uint32_t token_width_;
    ShardInfo info_;
    std::unique_ptr<Digest> digest_;
    std::vector<std::byte> buffer_;
};

/// A shard's tokens, memory-mapped read-only.
class MappedShard {
  public:
    /// Throws Error when the file is missing, is no shard, or is not the size that `expected` and its header say.
    MappedShard(const std::string& folder, const ShardInfo& expected, std::uint32_t token_width);

    std::span<const std::byte> bytes() const noexcept { return bytes_; }
    /// Keeps the mapping alive.
    std::shared_ptr<const void> owner() const noexcept { return mapping_; }
    /// Reads all tokens; throws Error when their checksum is not the expected one.
    void verify() const;

  private:
    std::string path_;
    std::uint64_t expected_checksum_;
    std::shared_ptr<const void> mapping_;
    std::span<const std::byte> bytes_;
};

}  // namespace loglog
