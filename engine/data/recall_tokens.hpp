#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/data/dataset.hpp"

namespace loglog {

/// Which bigrams of the training split are rare.
struct RareBigrams {
    std::uint64_t counted_tokens = 4'000'000;  ///< first tokens of the training split, in which bigrams are counted
    double most_per_million = 25;              ///< a bigram that occurs no more often than this among them is rare:
                                               ///< about 6 % of Python code in 512 byte pairs is then marked
};

/// Marks the targets that a model is likely to get right only by recalling the window: the second token of a bigram
/// that is rare in the training split and occurred in the window before (Arora et al. 2023, "Zoology",
/// arXiv:2312.04927, sec. 3.1, "associative recall hits").
///
/// windows  [count]: where each begins in the validation split
/// returns  [count, context]: 1 where the target of the token at that place is marked, else 0
std::vector<std::uint8_t> recall_tokens(const TokenDataset& data, std::span<const std::uint64_t> windows,
                                        std::int64_t context, const RareBigrams& rule = {});

}  // namespace loglog
