#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace loglog {

/// What a merge gives: pairs of lower rank merge first.
struct Merged {
    std::int32_t rank;
    std::int32_t token;
};

/// (left, right) -> merge: a hash table with open addressing, as it is asked several times for every byte.
class MergeTable {
  public:
    void reserve(std::size_t merges);
    void insert(std::int32_t left, std::int32_t right, Merged merged);
    /// rank -1 when the pair does not merge.
    Merged find(std::int32_t left, std::int32_t right) const noexcept;

  private:
    struct Slot {
        std::uint64_t pair = empty;
        Merged merged{-1, -1};
    };
    static constexpr std::uint64_t empty = ~std::uint64_t{0};
    std::size_t slot_of(std::uint64_t pair) const noexcept;

    std::vector<Slot> slots_ = std::vector<Slot>(2);
};

struct Merge {
    std::int32_t left;
    std::int32_t right;
    std::int32_t result;

    friend bool operator==(const Merge&, const Merge&) = default;
};

/// A token that stands for no text of the corpus.
struct SpecialToken {
    std::int32_t id;
    std::string text;
};

/// Everything that defines a byte-level tokenizer.
struct BpeModel {
    std::vector<std::string> tokens;              ///< the bytes of each id; a special token's written form
    std::array<std::int32_t, 256> byte_tokens{};  ///< byte -> id
    std::vector<Merge> merges;                    ///< in order of rank
    std::vector<SpecialToken> special_tokens;     ///< by id; the end-of-document token among them
    std::int32_t end_of_document = -1;
    MergeTable merge_table;  ///< of `merges`
};

inline constexpr const char* end_of_document_text = "<|endoftext|>";

/// A model of 256 byte tokens (id = value), the merged tokens in order (256, 257, ...), then the end-of-document token.
/// merges   pairs of ids, each of a byte or of an earlier merge
BpeModel make_bpe_model(const std::vector<std::pair<std::int32_t, std::int32_t>>& merges);

/// Fills `merge_table` from `merges`.
void index_merges(BpeModel& model);

}  // namespace loglog
