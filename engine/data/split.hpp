#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "engine/data/content_hash.hpp"

namespace loglog {

enum class Split { train, validation, test };

inline constexpr std::array<Split, 3> all_splits{Split::train, Split::validation, Split::test};

/// "train", "validation", "test": also the beginning of the shards' file names.
std::string_view to_string(Split split) noexcept;

/// Expected shares of the documents; the rest is for training.
struct SplitFractions {
    double validation = 0.02;
    double test = 0.01;
};

/// Throws InputError unless both are in [0, 1) and leave something to train on.
void validate(const SplitFractions& fractions);

/// The split of each document, from the hash of its content alone: u = hash / 2^128 below `validation` goes there,
/// below `validation + test` to test, else to train. So a document stays where it is when the corpus grows. Only where
/// a wanted split would stay empty does it get the training document of the smallest hash (while train keeps at least
/// one); and where train would, it gets the document of the largest.
///
/// hashes   [documents], ascending, without duplicates
/// returns  [documents]
std::vector<Split> assign_splits(std::span<const ContentHash> hashes, const SplitFractions& fractions);

}  // namespace loglog
