#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace loglog {

/// The candidate nearest to `word` by edit distance, for "did you mean"; empty when none is near. A candidate whose
/// last dotted part equals the word's is near, whatever comes before.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// " (did you mean 'X'?)" or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace loglog
