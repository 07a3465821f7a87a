#include "db/registry/nearest_name.hpp"

#include <algorithm>
#include <cctype>
#include <limits>
#include <numeric>
#include <vector>

namespace loglog {
namespace {

/// Insertions, deletions and replacements that turn `a` into `b`, letter case aside (Levenshtein 1966).
std::size_t edits(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0]++;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (lower(a[i]) == lower(b[j]) ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row.back();
}

}  // namespace

std::string did_you_mean(std::string_view name, std::span<const std::string> known) {
    const std::string* best = nullptr;
    std::size_t fewest = std::numeric_limits<std::size_t>::max();
    for (const std::string& candidate : known) {
        const std::size_t count = edits(name, candidate);
        if (count < fewest) {
            fewest = count;
            best = &candidate;
        }
    }
    const std::size_t slip = std::max<std::size_t>(1, name.size() / 2);
    return best != nullptr && fewest <= slip ? " (did you mean '" + *best + "'?)" : "";
}

}  // namespace loglog
