#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/base/random.hpp"
#include "engine/data/probe_task.hpp"
#include "engine/data/split.hpp"

namespace loglog {

/// What the examples of a probe are made of.
struct ProbeSettings {
    ProbeTask task = ProbeTask::mqar;
    std::int64_t context = 128;  ///< tokens of an example
    std::int64_t size = 8;       ///< mqar: pairs; copy, palindrome, noisy_copy: longest string trained on
    std::int64_t vocab = 8'192;  ///< mqar, induction; the others have 26 letters
    Seed seed{1};
};

/// What is impossible in the settings, in words, such as "mqar of 8 pairs needs a context of at least 32 tokens".
std::vector<std::string> problems_of(const ProbeSettings& settings);

/// Tokens that examples are made of.
std::int64_t vocab_of(const ProbeSettings& settings) noexcept;
/// Hexadecimal; of everything that examples depend on but their context.
std::string hash_of(const ProbeSettings& settings);

/// Examples of a probe, made when they are asked for: example `index` of a split depends on the seed, the split and the
/// index alone. Splits draw from ranges of the generator that never meet.
///
/// `targets` holds the token to be predicted at each place, or -1 where nothing is asked for:
///
/// mqar        k1 v1 k2 v2 ... of `size` pairs, then each key once more at a later place, where its value is the target
///             (Arora et al. 2023, "Zoology", arXiv:2312.04927, sec. 3.2). Keys lie in [1, vocab / 2), values from
///             there on, no two of an example equal. The places after the pairs are taken two by two; of these slots,
///             u = 0, 1, ..., a pair's is drawn without replacement with p(u) ~ (u + 1)^(0.01 - 1). Other places are 0.
/// copy        begin s separator s: targets are the second s (Jelassi et al. 2024, arXiv:2402.01032).
/// palindrome  likewise, the second s in reverse.
/// induction   a string of context / 2 tokens, no two equal, and once more: targets are those of the second half, from
///             its second token on (Olsson et al. 2022, arXiv:2209.11895).
/// noisy_copy  the letters of s in their order, scattered among noise, then separator and s (the selective copying of
///             Gu and Dao 2023, arXiv:2312.00752, sec. 3.1).
///
/// Strings of copies are 1 to `size` letters long in training, uniformly. In the other splits their length is that of
/// test_lengths() number index mod so many.
class ProbeExamples {
  public:
    // Tokens of copies besides letters; 0 fills up what is left.
    static constexpr std::int32_t begin_token = 1;
    static constexpr std::int32_t separator_token = 2;
    static constexpr std::int32_t noise_token = 3;
    static constexpr std::int32_t first_letter = 4;
    static constexpr std::int32_t letters = 26;

    /// Throws InputError listing problems_of(settings).
    explicit ProbeExamples(const ProbeSettings& settings);

    /// Fills `tokens` and `targets`, each of context tokens.
    void make(Split split, std::uint64_t index, std::span<std::int32_t> tokens, std::span<std::int32_t> targets) const;

    /// Targets of a training example; the mean where examples differ.
    double labels_per_example() const noexcept;
    /// Strings' lengths outside training: size, and twice and four times that where the context has room, but for
    /// noisy_copy, whose longest string takes what room there is. Empty for other tasks.
    std::vector<std::int64_t> test_lengths() const;

  private:
    ProbeSettings settings_;
    std::vector<double> slot_rates_;  // mqar: p(u), not normalised
};

}  // namespace loglog
