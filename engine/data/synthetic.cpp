#include "engine/data/synthetic.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>

namespace loglog {

namespace {

constexpr std::size_t vocabulary = 1'500;
constexpr std::uint64_t successors = 12;    // likely words after each word
constexpr double follows_successor = 0.75;  // else any word, by Zipf's law
constexpr double zipf_shift = 2.7;          // Mandelbrot's correction: p(rank) ~ 1 / (rank + shift)
constexpr double sentence_ends = 0.09;
constexpr double paragraph_ends = 0.15;  // after a sentence
constexpr std::uint64_t fewest_words = 200;
constexpr std::uint64_t more_words = 800;

// Groups of the stream that no document's index reaches.
constexpr std::uint64_t spelling_group = ~std::uint64_t{0};
constexpr std::uint64_t successor_group = ~std::uint64_t{1};

std::string spell(const Random& random, std::uint64_t word) {
    static constexpr std::array<std::string_view, 18> onsets{"b", "d", "f", "g", "h", "k",  "l",  "m",  "n",
                                                             "p", "r", "s", "t", "v", "st", "tr", "pl", ""};
    static constexpr std::array<std::string_view, 7> vowels{"a", "e", "i", "o", "u", "ea", "ou"};
    static constexpr std::array<std::string_view, 8> codas{"", "", "", "n", "r", "s", "l", "t"};
    std::uint64_t draw = 16 * word;
    const std::uint64_t syllables = 1 + random.below(draw++, 3);
    std::string text;
    for (std::uint64_t i = 0; i < syllables; ++i) {
        text += onsets[random.below(draw++, onsets.size())];
        text += vowels[random.below(draw++, vowels.size())];
        text += codas[random.below(draw++, codas.size())];
    }
    return text;
}

}  // namespace

SyntheticText::SyntheticText(Seed seed) : seed_{seed}, cumulative_(vocabulary) {
    const Random spelling{seed, Stream::synthetic_data, spelling_group};
    for (std::uint64_t word = 0; word < vocabulary; ++word) { words_.push_back(spell(spelling, word)); }
    for (std::size_t rank = 0; rank < vocabulary; ++rank) {
        cumulative_[rank] = 1.0 / (static_cast<double>(rank) + 1.0 + zipf_shift);
    }
    std::partial_sum(cumulative_.begin(), cumulative_.end(), cumulative_.begin());
    for (double& value : cumulative_) { value /= cumulative_.back(); }
}

std::size_t SyntheticText::successor(std::size_t word, const Random& random, std::uint64_t draw) const {
    const auto by_zipf = [this](double u) {
        const auto found = std::upper_bound(cumulative_.begin(), cumulative_.end() - 1, u);
        return static_cast<std::size_t>(found - cumulative_.begin());
    };
    const double u = random.uniform(draw);
    if (u >= follows_successor) { return by_zipf((u - follows_successor) / (1.0 - follows_successor)); }
    // Of the successors the first are the likelier: the square of a uniform number leans towards 0.
    const double v = u / follows_successor;
    const auto choice = static_cast<std::uint64_t>(v * v * static_cast<double>(successors));
    const Random table{seed_, Stream::synthetic_data, successor_group};
    return by_zipf(table.uniform(word * successors + choice));
}

std::string SyntheticText::document(std::uint64_t index) const {
    const Random random{seed_, Stream::synthetic_data, index};
    const std::uint64_t words = fewest_words + random.below(0, more_words);
    std::string text;
    std::size_t word = 0;
    bool begins_sentence = true;
    for (std::uint64_t i = 0; i < words; ++i) {
        word = successor(word, random, 1 + 3 * i);
        std::string_view spelled = words_[word];
        if (begins_sentence) {
            text += static_cast<char>(spelled.front() - 'a' + 'A');
            spelled.remove_prefix(1);
        }
        text += spelled;
        begins_sentence = i + 1 == words || random.uniform(2 + 3 * i) < sentence_ends;
        if (!begins_sentence) {
            text += ' ';
        } else {
            text += i + 1 == words || random.uniform(3 + 3 * i) < paragraph_ends ? ".\n" : ". ";
        }
    }
    return text;
}

}  // namespace loglog
