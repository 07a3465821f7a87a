#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/base/random.hpp"

namespace loglog {

/// Text with the statistics that make a language model's loss fall with its size: words of a Zipf-distributed
/// vocabulary, spelled from syllables, in sentences where a word's likely successors follow from the word before it.
class SyntheticText {
  public:
    explicit SyntheticText(Seed seed);

    /// Document `index`, about 4,000 bytes of ASCII; it depends on the seed and `index` alone.
    std::string document(std::uint64_t index) const;

  private:
    std::size_t successor(std::size_t word, const Random& random, std::uint64_t draw) const;

    Seed seed_;
    std::vector<std::string> words_;
    std::vector<double> cumulative_;  // Zipf's distribution function over words_
};

}  // namespace loglog
