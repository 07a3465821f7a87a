#include "engine/tokenizer/encoder.hpp"

#include <algorithm>

#include "engine/tokenizer/bpe_model.hpp"
#include "engine/tokenizer/pre_tokenize.hpp"

namespace loglog {

namespace {

constexpr std::size_t largest_cached_text = 64;      // bytes; longer pre-tokens hardly come back
constexpr std::size_t most_cached_texts = 1u << 18;  // then the cache starts afresh, so that its memory is bounded

}  // namespace

void Encoder::encode(std::string_view text, std::vector<std::int32_t>& ids) {
    if (tokenizer_.model().merges.empty()) { return encode_bytes(text, ids); }
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = pre_token_end(text, begin);
        encode_pre_token(text.substr(begin, end - begin), ids);
        begin = end;
    }
}

void Encoder::encode_bytes(std::string_view text, std::vector<std::int32_t>& ids) const {
    const auto& byte_tokens = tokenizer_.model().byte_tokens;
    const std::size_t begin = ids.size();
    ids.resize(begin + text.size());
    std::transform(text.begin(), text.end(), ids.begin() + static_cast<std::ptrdiff_t>(begin),
                   [&](char c) { return byte_tokens[static_cast<unsigned char>(c)]; });
}

void Encoder::encode_pre_token(std::string_view text, std::vector<std::int32_t>& ids) {
    if (text.size() > largest_cached_text) { return merge(text, ids); }
    if (seen_.size() == most_cached_texts) {
        seen_.clear();
        ends_.clear();
        cached_.clear();
    }
    const auto found = seen_.find_or_insert(text);
    if (found.is_new) {
        merge(text, cached_);
        ends_.push_back(cached_.size());
    }
    const auto begin = static_cast<std::ptrdiff_t>(found.index == 0 ? 0 : ends_[found.index - 1]);
    const auto end = static_cast<std::ptrdiff_t>(ends_[found.index]);
    ids.insert(ids.end(), cached_.begin() + begin, cached_.begin() + end);
}

// Pushes the pair that begins at `position`, if it merges.
void Encoder::propose(std::int32_t position) {
    const Symbol& left = symbols_[static_cast<std::size_t>(position)];
    if (left.next < 0) { return; }
    const Merged merged =
        tokenizer_.model().merge_table.find(left.token, symbols_[static_cast<std::size_t>(left.next)].token);
    if (merged.rank < 0) { return; }
    heap_.push_back({merged.rank, position});
    std::push_heap(heap_.begin(), heap_.end(), [](const Candidate& a, const Candidate& b) {
        return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
    });
}

// The pair of lowest rank merges first, the leftmost among equals. A heap keeps long runs at n log n.
void Encoder::merge(std::string_view text, std::vector<std::int32_t>& ids) {
    const BpeModel& model = tokenizer_.model();
    const auto size = static_cast<std::int32_t>(text.size());
    symbols_.clear();
    heap_.clear();
    for (std::int32_t i = 0; i < size; ++i) {
        const auto byte = static_cast<unsigned char>(text[static_cast<std::size_t>(i)]);
        symbols_.push_back({model.byte_tokens[byte], i - 1, i + 1 < size ? i + 1 : -1});
    }
    for (std::int32_t i = 0; i < size; ++i) { propose(i); }
    while (!heap_.empty()) {
        std::pop_heap(heap_.begin(), heap_.end(), [](const Candidate& a, const Candidate& b) {
            return a.rank != b.rank ? a.rank > b.rank : a.position > b.position;
        });
        const Candidate candidate = heap_.back();
        heap_.pop_back();
        Symbol& left = symbols_[static_cast<std::size_t>(candidate.position)];
        if (left.token < 0 || left.next < 0) { continue; }
        Symbol& right = symbols_[static_cast<std::size_t>(left.next)];
        const Merged merged = model.merge_table.find(left.token, right.token);
        if (merged.rank != candidate.rank) { continue; }  // one of the two has merged elsewhere meanwhile
        left.token = merged.token;
        left.next = right.next;
        right.token = -1;
        if (left.next >= 0) { symbols_[static_cast<std::size_t>(left.next)].previous = candidate.position; }
        if (left.previous >= 0) { propose(left.previous); }
        propose(candidate.position);
    }
    for (const Symbol& symbol : symbols_) {
        if (symbol.token >= 0) { ids.push_back(symbol.token); }
    }
}

}  // namespace loglog
