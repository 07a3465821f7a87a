#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "analysis/attention/comparison.hpp"
#include "analysis/report/figures.hpp"

namespace loglog {

/// The comparison's sentences, key numbers and main table as HTML.
std::string attention_summary(const Comparison& comparison);
/// What stands below its figures: every size, the laws and their tests, caveats, failures.
std::string attention_details(const Comparison& comparison);

/// Its figures, of section "attention", those left out that have nothing to draw.
std::vector<Figure> attention_figures(const Comparison& comparison);
/// The data sets that they name.
nlohmann::ordered_json attention_datasets(const Comparison& comparison);

}  // namespace loglog
