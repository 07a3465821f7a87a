#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace loglog {

enum class Seed : std::uint64_t {};

/// What a random number is for. Numbers of different streams never coincide, whatever their counters.
enum class Stream : std::uint32_t {
    init = 1,
    dropout_attention = 2,
    dropout_residual = 3,
    mask = 4,
    data_order = 5,
    sampling = 6,
    synthetic_data = 7,
    resampling = 8,
    search = 9,
    probe_data = 10,
};

using PhiloxBlock = std::array<std::uint32_t, 4>;

/// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): a keyed bijection of 128-bit
/// counters, so that any number of any stream is had without drawing the ones before it.
constexpr PhiloxBlock philox(PhiloxBlock counter, std::array<std::uint32_t, 2> key) noexcept {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t product0 = std::uint64_t{0xD2511F53u} * counter[0];
        const std::uint64_t product1 = std::uint64_t{0xCD9E8D57u} * counter[2];
        counter = {
            static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
            static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
    return counter;
}

/// FNV-1a, 64 bits: turns a parameter's name into part of a key. Not for checksums.
constexpr std::uint64_t name_hash(std::string_view name) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (const char c : name) { hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u; }
    return hash;
}

/// The numbers of one stream of one seed, addressed by (`group`, `index`); e.g. group = hash of a parameter's name,
/// index = the element's global index. Stateless: the same address gives the same number everywhere.
class Random {
  public:
    constexpr Random(Seed seed, Stream stream, std::uint64_t group = 0) noexcept
        : key_{static_cast<std::uint32_t>(mix(seed)),
               static_cast<std::uint32_t>(mix(seed) >> 32) ^ static_cast<std::uint32_t>(stream) * 0x9E3779B1u},
          group_{group} {}

    constexpr PhiloxBlock block(std::uint64_t index) const noexcept {
        return philox({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                       static_cast<std::uint32_t>(group_), static_cast<std::uint32_t>(group_ >> 32)},
                      key_);
    }
    constexpr std::uint64_t bits(std::uint64_t index) const noexcept {
        const auto b = block(index);
        return b[0] | std::uint64_t{b[1]} << 32;
    }
    /// Uniform in [0, 1), 53 bits.
    constexpr double uniform(std::uint64_t index) const noexcept {
        return static_cast<double>(bits(index) >> 11) * 0x1.0p-53;
    }
    /// Uniform integer in [0, bound), bound > 0 (multiply-shift; its bias is below bound / 2^64).
    constexpr std::uint64_t below(std::uint64_t index, std::uint64_t bound) const noexcept {
        __extension__ using Wide = unsigned __int128;
        return static_cast<std::uint64_t>((static_cast<Wide>(bits(index)) * bound) >> 64);
    }
    /// Standard normal (Box-Muller from one block).
    double normal(std::uint64_t index) const noexcept;

    constexpr std::array<std::uint32_t, 2> key() const noexcept { return key_; }

  private:
    // Neighbouring seeds must not give neighbouring keys (splitmix64's finaliser).
    static constexpr std::uint64_t mix(Seed seed) noexcept {
        std::uint64_t z = static_cast<std::uint64_t>(seed) + 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }

    std::array<std::uint32_t, 2> key_;
    std::uint64_t group_;
};

}  // namespace loglog
