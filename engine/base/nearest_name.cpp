#include "engine/base/nearest_name.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace loglog {
namespace {

// Insertions, deletions, substitutions and swaps of neighbours ("optimal string alignment"), three rows at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last;
    std::vector<std::size_t> last(b.size() + 1);
    std::iota(last.begin(), last.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::vector<std::size_t> row(b.size() + 1, i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
            const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) { row[j] = std::min(row[j], before_last[j - 2] + 1); }
        }
        before_last = std::exchange(last, std::move(row));
    }
    return last.back();
}

std::string_view last_part(std::string_view key) {
    const auto dot = key.rfind('.');
    return dot == std::string_view::npos ? key : key.substr(dot + 1);
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
    const std::string_view word_end = last_part(word);
    const std::string* best = nullptr;
    std::size_t best_distance = 0;
    for (const std::string& candidate : candidates) {
        // Half a point for a wrong table, so that "model.tokens" prefers "train.tokens" to "model.heads".
        const std::size_t by_end = 2 * edit_distance(word_end, last_part(candidate)) + 1;
        const std::size_t distance = std::min(2 * edit_distance(word, candidate), by_end);
        if (best == nullptr || distance < best_distance) {
            best = &candidate;
            best_distance = distance;
        }
    }
    const std::size_t limit = 2 * std::max<std::size_t>(1, (word_end.size() + 1) / 3) + 1;
    return best != nullptr && best_distance <= limit ? *best : std::string{};
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
    const std::string near = nearest(word, candidates);
    return near.empty() ? std::string{} : " (did you mean '" + near + "'?)";
}

}  // namespace loglog
