#pragma once

#include <map>
#include <string>
#include <vector>

#include "analysis/fit/dataset.hpp"
#include "analysis/inference/inference.hpp"

namespace loglog {

/// Caveats of a table from outside that its columns give away:
///   loss_in_bits          the loss column is called so, or is another column over ln 2 in every row
///   loss_is_perplexity    the loss column is called so, or is the exponential of another column in every row
///   implausible_compute   C differs from 6ND by a factor beyond 30 either way: another unit, or another count
/// Nothing is said of columns that are not there or hold no numbers. That losses alone are 1.44 times too large cannot
/// be seen: tokenizers differ by as much.
std::vector<Warning> table_warnings(const Dataset& data, const std::map<std::string, std::string>& mapping);

}  // namespace loglog
