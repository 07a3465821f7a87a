#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "analysis/attention/comparison.hpp"
#include "tests/analysis/attention/synthetic_comparison.hpp"

namespace loglog::testing {

inline CompareOptions compare_options(int resamples = 200) {
    CompareOptions chosen;
    chosen.bootstrap = {resamples, Seed{1}, 2};
    return chosen;
}

inline std::vector<std::string> codes(const std::vector<Warning>& warnings) {
    std::vector<std::string> list;
    for (const auto& warning : warnings) { list.push_back(warning.code); }
    return list;
}

inline const VariantResult& variant(const Comparison& comparison, const std::string& name) {
    return *std::find_if(comparison.variants.begin(), comparison.variants.end(),
                         [&](const VariantResult& v) { return v.name == name; });
}

}  // namespace loglog::testing
