#include "engine/tokenizer/tokenizer.hpp"

#include "engine/base/error.hpp"
#include "engine/data/content_hash.hpp"
#include "engine/tokenizer/bpe_model.hpp"
#include "engine/tokenizer/encoder.hpp"

namespace loglog {

Tokenizer::Tokenizer(BpeModel model) : model_{std::make_shared<const BpeModel>(std::move(model))} {}

Tokenizer Tokenizer::bytes() { return Tokenizer{make_bpe_model({})}; }

void Tokenizer::encode(std::string_view text, std::vector<std::int32_t>& ids) const {
    Encoder{*this}.encode(text, ids);
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const {
    std::vector<std::int32_t> ids;
    encode(text, ids);
    return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
    std::string text;
    for (const std::int32_t id : ids) {
        if (id < 0 || id >= vocab_size()) {
            throw InputError{"token " + std::to_string(id) + " is outside the tokenizer's vocabulary of " +
                             std::to_string(vocab_size())};
        }
        text += model_->tokens[static_cast<std::size_t>(id)];
    }
    return text;
}

std::int32_t Tokenizer::vocab_size() const noexcept { return static_cast<std::int32_t>(model_->tokens.size()); }

std::int32_t Tokenizer::end_of_document() const noexcept { return model_->end_of_document; }

std::string Tokenizer::name() const { return model_->merges.empty() ? "bytes" : "bpe:" + std::to_string(vocab_size()); }

std::string Tokenizer::hash() const {
    std::string canonical = "eod " + std::to_string(model_->end_of_document) + '\n';
    for (const std::string& token : model_->tokens) { canonical += std::to_string(token.size()) + ' ' + token + '\n'; }
    for (const std::int32_t id : model_->byte_tokens) { canonical += std::to_string(id) + '\n'; }
    for (const Merge& merge : model_->merges) {
        canonical += std::to_string(merge.left) + ' ' + std::to_string(merge.right) + '\n';
    }
    return to_hex(content_hash(canonical));
}

}  // namespace loglog
