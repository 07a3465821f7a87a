// Tokenizers as Hugging Face's tokenizer.json: model BPE over the 256 printable stand-ins of the bytes.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <unordered_map>

#include "engine/base/error.hpp"
#include "engine/tokenizer/bpe_model.hpp"
#include "engine/tokenizer/tokenizer.hpp"
#include "engine/tokenizer/unicode.hpp"

namespace loglog {

namespace {

using Json = nlohmann::ordered_json;

// GPT-2's bytes_to_unicode(): printable Latin-1 stands for itself, the other 68 bytes for U+0100 onwards.
std::array<char32_t, 256> byte_characters() {
    std::array<char32_t, 256> characters{};
    char32_t next = 0x100;
    for (char32_t byte = 0; byte < 256; ++byte) {
        const bool is_printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
        characters[byte] = is_printable ? byte : next++;
    }
    return characters;
}

std::string to_printable(std::string_view bytes) {
    static const auto characters = byte_characters();
    std::string text;
    for (const char c : bytes) { append_utf8(text, characters[static_cast<unsigned char>(c)]); }
    return text;
}

// The bytes behind a token's printable form; nothing where a character stands for no byte.
std::optional<std::string> from_printable(std::string_view text) {
    static const auto bytes = [] {
        std::map<std::int32_t, char> result;
        const auto characters = byte_characters();
        for (std::size_t byte = 0; byte < 256; ++byte) {
            result[static_cast<std::int32_t>(characters[byte])] = static_cast<char>(byte);
        }
        return result;
    }();
    std::string result;
    for (std::size_t at = 0; at < text.size();) {
        const auto found = bytes.find(next_code_point(text, at));
        if (found == bytes.end()) { return std::nullopt; }
        result += found->second;
    }
    return result;
}

/// Reads one file; its name begins every message.
class Reader {
  public:
    Reader(const Json& json, const std::string& source) : json_{json}, source_{source} {}

    BpeModel read() {
        check_form();
        read_vocabulary();
        read_added_tokens();
        check_dense();
        read_byte_tokens();
        read_merges();
        choose_end_of_document();
        index_merges(model_);
        return std::move(model_);
    }

  private:
    [[noreturn]] void fail(const std::string& what) const {
        throw InputError{source_ + ": " + what +
                         "; supported is the tokenizer.json of a byte-level BPE such as GPT-2's"};
    }

    static std::string type_of(const Json& value) {
        if (value.is_null()) { return "null"; }
        return value.is_object() && value.contains("type") && value["type"].is_string()
                   ? "'" + value["type"].get<std::string>() + "'"
                   : "of no known form";
    }

    const Json& member(const Json& object, const char* key) const {
        static const Json null;
        const auto found = object.find(key);
        return found == object.end() ? null : *found;
    }

    void require_unset(const Json& object, const char* key) const {
        const Json& value = member(object, key);
        const bool is_unset = value.is_null() || value == "" || value == false || value == 0.0;
        if (!is_unset) { fail("model." + std::string{key} + " is " + value.dump() + " but must be unset"); }
    }

    void check_form() const {
        if (!json_.is_object()) { fail("the file is no JSON object"); }
        const Json& model = member(json_, "model");
        // Files written before the field existed (GPT-2's first conversion) have no type, but merges.
        const bool is_bpe = model.is_object() &&
                            (member(model, "type") == "BPE" || (!model.contains("type") && model.contains("merges")));
        if (!is_bpe) { fail("the model is " + type_of(model) + ", not 'BPE'"); }
        for (const char* key :
             {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback", "ignore_merges"}) {
            require_unset(model, key);
        }
        if (!member(json_, "normalizer").is_null()) {
            fail("the normalizer is " + type_of(json_["normalizer"]) + ", but text is used as it is");
        }
        const Json& splitter = member(json_, "pre_tokenizer");
        if (!splitter.is_object() || member(splitter, "type") != "ByteLevel") {
            fail("the pre_tokenizer is " + type_of(splitter) + ", not 'ByteLevel'");
        }
        if (member(splitter, "add_prefix_space") == true) { fail("pre_tokenizer.add_prefix_space is true, not false"); }
        if (member(splitter, "use_regex") == false) { fail("pre_tokenizer.use_regex is false, not true"); }
    }

    void insert(const std::string& printable, const Json& id) {
        if (!id.is_number_integer() || id < 0 || id > (std::int64_t{1} << 30)) {
            fail("token " + Json(printable).dump() + " has the id " + id.dump());
        }
        const auto value = id.get<std::int32_t>();
        const auto [place, is_new] = ids_.emplace(printable, value);
        if (!is_new && place->second != value) {
            fail("token " + Json(printable).dump() + " has the two ids " + std::to_string(place->second) + " and " +
                 std::to_string(value));
        }
    }

    void read_vocabulary() {
        const Json& vocabulary = member(json_["model"], "vocab");
        if (!vocabulary.is_object()) { fail("model.vocab is no object of tokens and ids"); }
        for (const auto& [printable, id] : vocabulary.items()) { insert(printable, id); }
    }

    void read_added_tokens() {
        const Json& added = member(json_, "added_tokens");
        if (added.is_null()) { return; }
        if (!added.is_array()) { fail("added_tokens is no array"); }
        for (const Json& token : added) {
            const bool is_usable = token.is_object() && member(token, "content").is_string();
            if (!is_usable) { fail("an added token is " + token.dump()); }
            const auto text = token["content"].get<std::string>();
            insert(text, member(token, "id"));
            model_.special_tokens.push_back({ids_.at(text), text});
        }
        std::sort(model_.special_tokens.begin(), model_.special_tokens.end(),
                  [](const SpecialToken& a, const SpecialToken& b) { return a.id < b.id; });
    }

    // Ids must be 0, 1, ..., n - 1: each one a row of the embedding.
    void check_dense() {
        model_.tokens.resize(ids_.size());
        std::vector<bool> is_used(ids_.size());
        for (const auto& [printable, id] : ids_) {
            const auto index = static_cast<std::size_t>(id);
            if (index >= ids_.size() || is_used[index]) {
                fail("the ids are not 0 to " + std::to_string(ids_.size() - 1) + ", each once (found " +
                     std::to_string(id) + " for " + Json(printable).dump() + ")");
            }
            is_used[index] = true;
            const bool is_special = std::any_of(model_.special_tokens.begin(), model_.special_tokens.end(),
                                                [&, value = id](const SpecialToken& s) { return s.id == value; });
            model_.tokens[index] = is_special ? printable : bytes_of(printable);
        }
    }

    std::string bytes_of(const std::string& printable) const {
        const auto bytes = from_printable(printable);
        if (!bytes) { fail("token " + Json(printable).dump() + " has a character that stands for no byte"); }
        return *bytes;
    }

    void read_byte_tokens() {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const auto found = ids_.find(to_printable(std::string(1, static_cast<char>(byte))));
            if (found == ids_.end()) { fail("byte " + std::to_string(byte) + " has no token"); }
            model_.byte_tokens[byte] = found->second;
        }
    }

    // "a b", or ["a", "b"] in newer files.
    std::pair<std::string, std::string> parse_merge(const Json& merge) const {
        if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
            return {merge[0].get<std::string>(), merge[1].get<std::string>()};
        }
        if (merge.is_string()) {
            const auto text = merge.get<std::string>();
            const std::size_t blank = text.find(' ');
            if (blank != std::string::npos && text.find(' ', blank + 1) == std::string::npos) {
                return {text.substr(0, blank), text.substr(blank + 1)};
            }
        }
        fail("merge " + merge.dump() + " is no pair of tokens");
    }

    void read_merges() {
        const Json& merges = member(json_["model"], "merges");
        if (!merges.is_array()) { fail("model.merges is no array"); }
        const auto id_of = [&](const std::string& printable, const Json& merge) {
            const auto found = ids_.find(printable);
            if (found == ids_.end()) {
                fail("merge " + merge.dump() + " needs the token " + Json(printable).dump() +
                     ", which is not in the vocabulary");
            }
            return found->second;
        };
        for (const Json& merge : merges) {
            const auto [left, right] = parse_merge(merge);
            model_.merges.push_back({id_of(left, merge), id_of(right, merge), id_of(left + right, merge)});
        }
    }

    void choose_end_of_document() {
        const auto& specials = model_.special_tokens;
        const auto named = std::find_if(specials.begin(), specials.end(),
                                        [](const SpecialToken& s) { return s.text == end_of_document_text; });
        if (named != specials.end()) {
            model_.end_of_document = named->id;
        } else if (specials.size() == 1) {
            model_.end_of_document = specials.front().id;
        } else {
            fail("added_tokens has " + std::to_string(specials.size()) + " tokens and none is " + end_of_document_text +
                 ", so the end of a document is unknown");
        }
    }

    const Json& json_;
    const std::string& source_;
    BpeModel model_;
    std::map<std::string, std::int32_t> ids_;  // by printable form, as in the file
};

Json byte_level(bool add_prefix_space) {
    return {{"type", "ByteLevel"}, {"add_prefix_space", add_prefix_space}, {"trim_offsets", true}, {"use_regex", true}};
}

std::string printable_form(const BpeModel& model, std::int32_t id) {
    const std::string& token = model.tokens[static_cast<std::size_t>(id)];
    const bool is_special = std::any_of(model.special_tokens.begin(), model.special_tokens.end(),
                                        [&](const SpecialToken& special) { return special.id == id; });
    return is_special ? token : to_printable(token);
}

}  // namespace

Tokenizer Tokenizer::from_json(const std::string& text, const std::string& source) {
    try {
        const Json json = Json::parse(text);
        return Tokenizer{Reader{json, source}.read()};
    } catch (const Json::exception& error) { throw InputError{source + ": not a JSON file: " + error.what()}; }
}

Tokenizer Tokenizer::load(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    if (!file) { throw InputError{path + ": cannot read the tokenizer: " + std::strerror(errno)}; }
    std::ostringstream text;
    text << file.rdbuf();
    if (file.bad() || text.fail()) { throw InputError{path + ": cannot read the tokenizer: " + std::strerror(errno)}; }
    return from_json(text.str(), path);
}

std::string Tokenizer::to_json() const {
    const BpeModel& model = *model_;
    Json added = Json::array();
    for (const SpecialToken& special : model.special_tokens) {
        added.push_back({{"id", special.id},
                         {"content", special.text},
                         {"single_word", false},
                         {"lstrip", false},
                         {"rstrip", false},
                         {"normalized", false},
                         {"special", true}});
    }
    Json vocabulary = Json::object();
    for (std::int32_t id = 0; id < vocab_size(); ++id) { vocabulary[printable_form(model, id)] = id; }
    Json merges = Json::array();
    for (const Merge& merge : model.merges) {
        merges.push_back(printable_form(model, merge.left) + ' ' + printable_form(model, merge.right));
    }
    const Json json{{"version", "1.0"},
                    {"truncation", nullptr},
                    {"padding", nullptr},
                    {"added_tokens", std::move(added)},
                    {"normalizer", nullptr},
                    {"pre_tokenizer", byte_level(false)},
                    {"post_processor", nullptr},
                    {"decoder", byte_level(true)},
                    {"model",
                     {{"type", "BPE"},
                      {"dropout", nullptr},
                      {"unk_token", nullptr},
                      {"continuing_subword_prefix", nullptr},
                      {"end_of_word_suffix", nullptr},
                      {"fuse_unk", false},
                      {"byte_fallback", false},
                      {"vocab", std::move(vocabulary)},
                      {"merges", std::move(merges)}}}};
    return json.dump(1) + '\n';
}

void Tokenizer::save(const std::string& path) const {
    std::ofstream file{path, std::ios::binary | std::ios::trunc};
    file << to_json();
    file.close();
    if (!file) { throw Error{path + ": cannot write the tokenizer: " + std::strerror(errno)}; }
}

}  // namespace loglog
