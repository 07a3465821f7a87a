#include "engine/tokenizer/bpe_trainer.hpp"

#include <algorithm>
#include <limits>
#include <queue>
#include <string>
#include <unordered_map>
#include <utility>

#include "engine/base/error.hpp"
#include "engine/tokenizer/bpe_model.hpp"
#include "engine/tokenizer/pre_tokenize.hpp"

namespace loglog {

namespace {

using Pair = std::pair<std::int32_t, std::int32_t>;

struct PairHash {
    std::size_t operator()(const Pair& pair) const noexcept {
        const auto key =
            std::uint64_t{static_cast<std::uint32_t>(pair.first)} << 32 | static_cast<std::uint32_t>(pair.second);
        return static_cast<std::size_t>((key * 0x9e3779b97f4a7c15u) ^ (key >> 29));
    }
};

struct PairUse {
    std::int64_t occurrences = 0;
    std::vector<std::uint32_t> words;  // where it occurs or once did; a word may be listed twice
};

// Most often first, then the smallest pair. `occurrences` may have fallen since it was queued.
struct Queued {
    std::int64_t occurrences;
    Pair pair;

    bool operator<(const Queued& other) const noexcept {
        return occurrences != other.occurrences ? occurrences < other.occurrences : pair > other.pair;
    }
};

class Trainer {
  public:
    explicit Trainer(const PreTokenCounter& pre_tokens) {
        std::size_t bytes = 0;
        for (std::size_t i = 0; i < pre_tokens.size(); ++i) { bytes += pre_tokens.text(i).size(); }
        symbols_.reserve(bytes);
        for (std::size_t i = 0; i < pre_tokens.size(); ++i) { add_word(pre_tokens.text(i), pre_tokens.occurrences(i)); }
        for (const auto& [pair, use] : pairs_) { queue_.push({use.occurrences, pair}); }
    }

    /// The pair that occurs most often; occurrences 0 when there is none.
    Queued most_frequent() {
        while (!queue_.empty()) {
            const Queued top = queue_.top();
            queue_.pop();
            const auto found = pairs_.find(top.pair);
            const std::int64_t occurrences = found == pairs_.end() ? 0 : found->second.occurrences;
            if (occurrences == top.occurrences) { return top; }
            if (occurrences > 0) { queue_.push({occurrences, top.pair}); }
        }
        return {0, {}};
    }

    /// Replaces every (left, right) by `token`.
    void merge(const Pair& pair, std::int32_t token) {
        const auto node = pairs_.extract(pair);
        created_.clear();
        for (const std::uint32_t word : node.mapped().words) { merge_in_word(word, pair, token); }
        std::sort(created_.begin(), created_.end());
        created_.erase(std::unique(created_.begin(), created_.end()), created_.end());
        for (const Pair& created : created_) { queue_.push({pairs_.at(created).occurrences, created}); }
    }

  private:
    struct Word {
        std::size_t begin;  // in symbols_
        std::uint32_t size;
        std::int64_t occurrences;
    };

    void add_word(std::string_view text, std::uint64_t occurrences) {
        const auto index = static_cast<std::uint32_t>(words_.size());
        words_.push_back(
            {symbols_.size(), static_cast<std::uint32_t>(text.size()), static_cast<std::int64_t>(occurrences)});
        for (std::size_t i = 0; i < text.size(); ++i) {
            symbols_.push_back(static_cast<unsigned char>(text[i]));
            if (i > 0) { use(symbols_[symbols_.size() - 2], symbols_.back(), index); }
        }
    }

    // Returns whether the pair is new.
    bool use(std::int32_t left, std::int32_t right, std::uint32_t word) {
        const auto [place, is_new] = pairs_.try_emplace({left, right});
        auto& [occurrences, words] = place->second;
        occurrences += words_[word].occurrences;
        if (words.empty() || words.back() != word) { words.push_back(word); }
        return is_new;
    }

    void drop(std::int32_t left, std::int32_t right, std::uint32_t word) {
        const auto found = pairs_.find({left, right});
        if (found != pairs_.end()) { found->second.occurrences -= words_[word].occurrences; }
    }

    void merge_in_word(std::uint32_t index, const Pair& pair, std::int32_t token) {
        Word& word = words_[index];
        std::int32_t* const symbols = symbols_.data() + word.begin;
        std::uint32_t kept = 0;
        for (std::uint32_t i = 0; i < word.size;) {
            const bool is_match = i + 1 < word.size && symbols[i] == pair.first && symbols[i + 1] == pair.second;
            if (!is_match) {
                symbols[kept++] = symbols[i++];
                continue;
            }
            if (kept > 0) { replace({symbols[kept - 1], pair.first}, {symbols[kept - 1], token}, index); }
            if (i + 2 < word.size) { replace({pair.second, symbols[i + 2]}, {token, symbols[i + 2]}, index); }
            symbols[kept++] = token;
            i += 2;
        }
        word.size = kept;
    }

    void replace(const Pair& old_pair, const Pair& new_pair, std::uint32_t word) {
        drop(old_pair.first, old_pair.second, word);
        use(new_pair.first, new_pair.second, word);
        created_.push_back(new_pair);
    }

    std::vector<std::int32_t> symbols_;
    std::vector<Word> words_;
    std::unordered_map<Pair, PairUse, PairHash> pairs_;
    std::priority_queue<Queued> queue_;
    std::vector<Pair> created_;  // by the merge under way
};

}  // namespace

void PreTokenCounter::add(std::string_view pre_token, std::uint64_t occurrences) {
    const auto found = texts_.find_or_insert(pre_token);
    if (found.is_new) { counts_.push_back(0); }
    counts_[found.index] += occurrences;
}

void PreTokenCounter::count(std::string_view text) {
    for (std::size_t begin = 0; begin < text.size();) {
        const std::size_t end = pre_token_end(text, begin);
        add(text.substr(begin, end - begin), 1);
        begin = end;
    }
}

void PreTokenCounter::add(const PreTokenCounter& other) {
    for (std::size_t i = 0; i < other.size(); ++i) { add(other.text(i), other.occurrences(i)); }
}

Tokenizer train_bpe(const PreTokenCounter& pre_tokens, std::int32_t vocab_size,
                    const std::function<void(std::int64_t)>& progress) {
    if (vocab_size < smallest_bpe_vocabulary) {
        throw InputError{"a byte-level vocabulary has at least " + std::to_string(smallest_bpe_vocabulary) +
                         " tokens (256 bytes and the end of a document), but " + std::to_string(vocab_size) +
                         " are asked for"};
    }
    Trainer trainer{pre_tokens};
    std::vector<Pair> merges;
    while (static_cast<std::int64_t>(merges.size()) < vocab_size - smallest_bpe_vocabulary) {
        const auto best = trainer.most_frequent();
        if (best.occurrences < 2) { break; }
        trainer.merge(best.pair, static_cast<std::int32_t>(256 + merges.size()));
        merges.push_back(best.pair);
        if (progress && merges.size() % 64 == 0) { progress(static_cast<std::int64_t>(merges.size())); }
    }
    return Tokenizer{make_bpe_model(merges)};
}

}  // namespace loglog
