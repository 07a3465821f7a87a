#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/tokenizer/text_table.hpp"
#include "engine/tokenizer/tokenizer.hpp"

namespace loglog {

/// Encodes many texts, remembering what each pre-token became. One per thread; it shares the tokenizer's model. The
/// result is Tokenizer::encode()'s, whatever was encoded before.
class Encoder {
  public:
    explicit Encoder(Tokenizer tokenizer) : tokenizer_{std::move(tokenizer)} {}

    /// Appends the tokens of `text` to `ids`.
    void encode(std::string_view text, std::vector<std::int32_t>& ids);

  private:
    struct Symbol {
        std::int32_t token;  // -1 once merged into the one before it
        std::int32_t previous;
        std::int32_t next;
    };
    struct Candidate {
        std::int32_t rank;
        std::int32_t position;
    };
    void encode_bytes(std::string_view text, std::vector<std::int32_t>& ids) const;
    void encode_pre_token(std::string_view text, std::vector<std::int32_t>& ids);
    void merge(std::string_view text, std::vector<std::int32_t>& ids);
    void propose(std::int32_t position);

    Tokenizer tokenizer_;
    TextTable seen_;
    std::vector<std::size_t> ends_;  // of each seen pre-token's tokens in cached_
    std::vector<std::int32_t> cached_;
    std::vector<Symbol> symbols_;
    std::vector<Candidate> heap_;
};

}  // namespace loglog
