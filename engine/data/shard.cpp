#include "engine/data/shard.hpp"

#include <unistd.h>

#include <boost/iostreams/device/mapped_file.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "engine/base/error.hpp"
#include "engine/data/content_hash.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace loglog {

static_assert(std::endian::native == std::endian::little, "shards are mapped as they lie on disk: little endian");

struct ShardWriter::Digest {
    XXH3_state_t state;
};

ShardWriter::ShardWriter(const std::string& folder, const std::string& file, std::uint32_t token_width)
    : path_{folder + '/' + file},
      file_{std::fopen(path_.c_str(), "wbx")},
      token_width_{token_width},
      info_{file, 0, 0},
      digest_{std::make_unique<Digest>()} {
    if (!file_) { fail(); }
    XXH3_64bits_reset(&digest_->state);
    const ShardHeader unfinished{};
    write(&unfinished, sizeof unfinished);
}

ShardWriter::ShardWriter(ShardWriter&&) noexcept = default;
ShardWriter& ShardWriter::operator=(ShardWriter&&) noexcept = default;
ShardWriter::~ShardWriter() = default;

void ShardWriter::fail() const {
    throw Error{path_ + ": cannot write the shard: " + std::strerror(errno) +
                " (written so far: " + std::to_string(info_.tokens) + " tokens)"};
}

void ShardWriter::write(const void* bytes, std::size_t size) {
    if (std::fwrite(bytes, 1, size, file_.get()) != size) { fail(); }
}

void ShardWriter::append(std::span<const std::int32_t> tokens) {
    buffer_.resize(tokens.size() * token_width_);
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        const auto token = static_cast<std::uint32_t>(tokens[i]);
        std::memcpy(buffer_.data() + i * token_width_, &token, token_width_);  // little endian: the low bytes lie first
    }
    write(buffer_.data(), buffer_.size());
    XXH3_64bits_update(&digest_->state, buffer_.data(), buffer_.size());
    info_.tokens += tokens.size();
}

ShardInfo ShardWriter::finish() {
    info_.checksum = XXH3_64bits_digest(&digest_->state);
    const ShardHeader header{shard_magic, shard_version, token_width_, info_.tokens, info_.checksum, {}};
    if (std::fseek(file_.get(), 0, SEEK_SET) != 0) { fail(); }
    write(&header, sizeof header);
    if (std::fflush(file_.get()) != 0 || fsync(fileno(file_.get())) != 0) { fail(); }
    if (std::fclose(file_.release()) != 0) { fail(); }
    return info_;
}

namespace {

using Mapping = boost::iostreams::mapped_file_source;

std::shared_ptr<const Mapping> map_file(const std::string& path) {
    std::error_code code;
    const auto size = std::filesystem::file_size(path, code);
    if (code) { throw Error{path + ": cannot read the shard: " + code.message()}; }
    if (size < sizeof(ShardHeader)) {
        throw Error{path + ": the shard has " + std::to_string(size) + " bytes, fewer than its header of " +
                    std::to_string(sizeof(ShardHeader))};
    }
    try {
        return std::make_shared<const Mapping>(path);
    } catch (const std::exception& error) { throw Error{path + ": cannot map the shard: " + error.what()}; }
}

void check_header(const std::string& path, const ShardHeader& header, const ShardInfo& expected,
                  std::uint32_t token_width) {
    if (header.magic != shard_magic) { throw Error{path + ": the file does not begin as a finished shard does"}; }
    const auto check = [&](const char* what, std::uint64_t found, std::uint64_t wanted) {
        if (found != wanted) {
            throw Error{path + ": the shard's header says " + what + ' ' + std::to_string(found) + " but expected is " +
                        std::to_string(wanted)};
        }
    };
    check("version", header.version, shard_version);
    check("bytes per token", header.token_width, token_width);
    check("tokens", header.tokens, expected.tokens);
    if (header.checksum != expected.checksum) {
        throw Error{path + ": the shard's header says checksum " + to_hex(header.checksum) + " but expected is " +
                    to_hex(expected.checksum)};
    }
}

}  // namespace

MappedShard::MappedShard(const std::string& folder, const ShardInfo& expected, std::uint32_t token_width)
    : path_{folder + '/' + expected.file}, expected_checksum_{expected.checksum} {
    const auto mapping = map_file(path_);
    ShardHeader header;
    std::memcpy(&header, mapping->data(), sizeof header);
    check_header(path_, header, expected, token_width);
    const std::uint64_t wanted = sizeof header + expected.tokens * token_width;
    if (mapping->size() != wanted) {
        throw Error{path_ + ": the shard has " + std::to_string(mapping->size()) + " bytes but expected are " +
                    std::to_string(wanted)};
    }
    bytes_ = {reinterpret_cast<const std::byte*>(mapping->data()) + sizeof header, expected.tokens * token_width};
    mapping_ = mapping;
}

void MappedShard::verify() const {
    const std::uint64_t found = checksum(bytes_);
    if (found != expected_checksum_) {
        throw Error{path_ + ": the shard's checksum is " + to_hex(found) + " but expected is " +
                    to_hex(expected_checksum_)};
    }
}

}  // namespace loglog
