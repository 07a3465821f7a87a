#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/tokenizer/text_table.hpp"
#include "engine/tokenizer/tokenizer.hpp"

namespace loglog {

/// How often each pre-token occurs in the texts seen. Counters of parts of a corpus can be added up; the order of texts
/// and of additions does not matter to what train_bpe() makes of it.
class PreTokenCounter {
  public:
    void count(std::string_view text);
    void add(const PreTokenCounter& other);

    std::size_t size() const noexcept { return counts_.size(); }
    std::string_view text(std::size_t index) const noexcept { return texts_.text(index); }
    std::uint64_t occurrences(std::size_t index) const noexcept { return counts_[index]; }

  private:
    void add(std::string_view pre_token, std::uint64_t occurrences);

    TextTable texts_;
    std::vector<std::uint64_t> counts_;
};

/// The smallest vocabulary: 256 bytes and the end of a document.
inline constexpr std::int32_t smallest_bpe_vocabulary = 257;

/// Byte-pair encoding (Sennrich, Haddow and Birch 2016, arXiv:1508.07909, over bytes as in GPT-2): merges the pair of
/// neighbouring tokens that occurs most often, and again, until the vocabulary has `vocab_size` tokens: 256 bytes, the
/// merges, the end of a document. Of pairs that occur equally often the one with the smaller left id goes first, then
/// the one with the smaller right id. Ends early, with a smaller vocabulary, when no pair occurs twice.
///
/// progress   called now and then with the merges done so far, if given
/// Throws InputError when vocab_size < smallest_bpe_vocabulary.
Tokenizer train_bpe(const PreTokenCounter& pre_tokens, std::int32_t vocab_size,
                    const std::function<void(std::int64_t)>& progress = {});

}  // namespace loglog
