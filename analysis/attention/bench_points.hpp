#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace loglog {

/// What `loglog bench attention --json` measured of one kind at one context.
struct BenchPoint {
    double time = 0;  ///< tokens of a sequence
    double seconds = 0;
    std::optional<double> memory_bytes;
    std::optional<double> flops;
};

struct BenchKind {
    std::string kind;
    std::vector<BenchPoint> points;
    std::optional<double> growth_exponent;       ///< of seconds in the context
    std::optional<double> crossover_with_dense;  ///< context from which on it is faster; nothing: not within the range
};

/// Reads that JSON. Throws InputError naming `source` and what is wrong.
std::vector<BenchKind> parse_bench(std::string_view json, const std::string& source);

}  // namespace loglog
