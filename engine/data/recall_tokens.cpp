#include "engine/data/recall_tokens.hpp"

#include <algorithm>
#include <bit>

namespace loglog {
namespace {

using Bigram = std::uint64_t;

Bigram bigram(std::int32_t first, std::int32_t second) {
    return static_cast<Bigram>(static_cast<std::uint32_t>(first)) << 32 | static_cast<std::uint32_t>(second);
}

/// Counts of chosen bigrams: open addressing in a table at most half full, so that looking up one that was not chosen,
/// as most are, mostly ends at the first entry.
class BigramCounts {
  public:
    explicit BigramCounts(const std::vector<Bigram>& chosen)
        : entries_(std::bit_ceil(2 * chosen.size() + 1)),
          shift_{64 - static_cast<int>(std::bit_width(entries_.size() - 1))} {
        for (const Bigram key : chosen) { entries_[place_of(key)].key = key + 1; }
    }

    void count(Bigram key) {
        Entry& entry = entries_[place_of(key)];
        if (entry.key == key + 1) { ++entry.count; }
    }
    std::uint32_t operator[](Bigram key) const { return entries_[place_of(key)].count; }

  private:
    struct Entry {
        Bigram key = 0;  // plus one; 0: free
        std::uint32_t count = 0;
    };

    /// Where the key is, or would be.
    std::size_t place_of(Bigram key) const {
        auto place = static_cast<std::size_t>(shift_ == 64 ? 0 : (key * 0x9E3779B97F4A7C15u) >> shift_);
        while (entries_[place].key != 0 && entries_[place].key != key + 1) { place = (place + 1) % entries_.size(); }
        return place;
    }

    std::vector<Entry> entries_;
    int shift_;
};

/// Places of a window's bigrams that occurred in it before; `sorted` is scratch.
void mark_repeated(std::span<const std::int32_t> window, std::vector<std::pair<Bigram, std::size_t>>& sorted,
                   std::span<std::uint8_t> marks) {
    sorted.clear();
    for (std::size_t i = 0; i + 1 < window.size(); ++i) { sorted.emplace_back(bigram(window[i], window[i + 1]), i); }
    std::sort(sorted.begin(), sorted.end());
    for (std::size_t i = 1; i < sorted.size(); ++i) {
        if (sorted[i].first == sorted[i - 1].first) { marks[sorted[i].second] = 1; }
    }
}

void count_training(const TokenDataset& data, std::uint64_t tokens, BigramCounts& counts) {
    constexpr std::uint64_t block = 1 << 16;
    std::vector<std::int32_t> buffer;
    // Blocks share a token, so that no bigram falls between two of them.
    for (std::uint64_t first = 0; first + 1 < tokens; first += block) {
        buffer.resize(static_cast<std::size_t>(std::min(block + 1, tokens - first)));
        data.read(Split::train, first, buffer);
        for (std::size_t i = 0; i + 1 < buffer.size(); ++i) { counts.count(bigram(buffer[i], buffer[i + 1])); }
    }
}

}  // namespace

std::vector<std::uint8_t> recall_tokens(const TokenDataset& data, std::span<const std::uint64_t> windows,
                                        std::int64_t context, const RareBigrams& rule) {
    const auto size = static_cast<std::size_t>(context);
    std::vector<std::uint8_t> marks(windows.size() * size);
    std::vector<Bigram> bigrams(marks.size());
    std::vector<std::int32_t> window(size + 1);
    std::vector<std::pair<Bigram, std::size_t>> sorted;
    std::vector<Bigram> repeated;
    for (std::size_t w = 0; w < windows.size(); ++w) {
        data.read(Split::validation, windows[w], window);
        const auto own = std::span{marks}.subspan(w * size, size);
        mark_repeated(window, sorted, own);
        for (std::size_t i = 0; i < size; ++i) {
            bigrams[w * size + i] = bigram(window[i], window[i + 1]);
            if (own[i] != 0) { repeated.push_back(bigrams[w * size + i]); }
        }
    }

    const std::uint64_t tokens = std::min(rule.counted_tokens, data.tokens(Split::train));
    BigramCounts counts{repeated};
    count_training(data, tokens, counts);
    const double most = rule.most_per_million * 1e-6 * static_cast<double>(tokens);
    for (std::size_t i = 0; i < marks.size(); ++i) {
        if (marks[i] != 0 && counts[bigrams[i]] > most) { marks[i] = 0; }
    }
    return marks;
}

}  // namespace loglog
