#pragma once

#include <cstdint>
#include <string>

namespace CLI {
class App;
}

namespace loglog {

/// What `sweep advise` was told.
struct AdviseOptions {
    std::string sweep;
    std::string where;
    double budget = 0;  ///< model FLOPs of all proposed runs
    std::string law = "chinchilla";
    std::string shrink;  ///< empty: the exponent a of N_opt ~ C^a, or alpha
    double at = 0;       ///< FLOPs that --shrink N, D or loss is for
    std::string count = "non_embedding";
    std::string objective = "huber-log";
    double delta = 1e-3;
    std::size_t runs = 8;
    double reach = 4;
    std::int64_t seed = 0;  ///< of the proposed runs; 0: the first that none of the runs has
    std::string name = "advised";
    std::string out;  ///< file to write; empty: standard output
    bool force = false;
    bool json = false;
    std::string registry;
};

/// Adds the verb `advise` to `sweep`.
void add_advise_verb(CLI::App& sweep);

}  // namespace loglog
