#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace loglog {

struct BpeModel;

/// A byte-level tokenizer: 256 byte tokens, merges on top of them (none for `bytes`), and one end-of-document token.
///
/// Any byte string encodes and decodes to itself. The end-of-document token is never produced from text, not even from
/// the text "<|endoftext|>". Cheap to copy (the model is shared and immutable); safe to use from several threads.
class Tokenizer {
  public:
    /// Token = byte value; 256 is the end of a document.
    static Tokenizer bytes();
    /// Reads a Hugging Face `tokenizer.json` of a byte-level BPE (GPT-2's form, and what save() writes). Throws
    /// InputError for anything else, saying what was found.
    static Tokenizer load(const std::string& path);
    /// The same from the file's text; `source` names it in errors.
    static Tokenizer from_json(const std::string& text, const std::string& source);

    explicit Tokenizer(BpeModel model);

    /// Appends the tokens of `text` to `ids`. For many texts an Encoder (encoder.hpp) is faster: it keeps its cache.
    void encode(std::string_view text, std::vector<std::int32_t>& ids) const;
    std::vector<std::int32_t> encode(std::string_view text) const;
    /// The bytes of `ids`; end-of-document and other special tokens give their written form. Throws InputError for an
    /// id outside [0, vocab_size()).
    std::string decode(std::span<const std::int32_t> ids) const;

    std::int32_t vocab_size() const noexcept;
    std::int32_t end_of_document() const noexcept;
    /// "bytes" or "bpe:N".
    std::string name() const;
    /// Hexadecimal XXH3-128 of everything that decides how text is encoded.
    std::string hash() const;

    /// `tokenizer.json` text; loading it gives an identical tokenizer.
    std::string to_json() const;
    void save(const std::string& path) const;

    const BpeModel& model() const noexcept { return *model_; }

  private:
    std::shared_ptr<const BpeModel> model_;
};

}  // namespace loglog
