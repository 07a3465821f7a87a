#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/inference/inference.hpp"
#include "db/registry/run_record.hpp"

namespace loglog {

/// A run as the comparison sees it.
struct ComparedRun {
    RunRecord record;
    std::vector<double> loss_by_position{};  ///< nats per token by bucket of the position, of the last evaluation
};

/// What a run is for. Its name says so: learning-rate searches are called "lr-search..." and "lr-recheck...".
enum class RunRole { compared, search, recheck };
RunRole role_of(const RunRecord& record) noexcept;

/// For each run, whether it enters the comparison. Besides those that are no searches, these are finished runs of a
/// search that have the attention and learning rate of such runs, unless one of these has their size and seed: the best
/// run of a search is not trained twice.
std::vector<bool> enters_comparison(const std::vector<const RunRecord*>& runs);

/// A numeric column of the view by name; nothing where there is no such column or no value.
std::optional<double> numeric_column(const RunRecord& record, std::string_view name);

/// One rung of the ladder: what all variants trained at one size and token count are compared within.
struct ComparedSize {
    std::int64_t layers = 0;
    std::int64_t width = 0;
    double tokens = 0;      ///< of the baseline's runs, or the first variant's that has any
    double parameters = 0;  ///< non-embedding, likewise

    std::string name() const;  ///< "4x128"; layers x width
};

/// A run that enters the fits, by its position in the list of all runs.
struct PlacedRun {
    std::size_t run = 0;
    int size = 0;
    int row = 0;  ///< of the design: the (size, seed) pair that variants share
};

/// All runs of one kind of attention.
struct VariantGroup {
    std::string name;
    bool is_control = false;           ///< a second copy of the baseline under another name
    bool is_paired = true;             ///< whether its seeds are the baseline's at every size
    std::vector<PlacedRun> placed;     ///< in order of size and row
    std::vector<std::size_t> search;   ///< learning-rate searches, all states
    std::vector<std::size_t> recheck;  ///< likewise, at another size
};

struct RunGroups {
    std::vector<ComparedSize> sizes;     ///< ascending in parameters, then tokens
    std::vector<VariantGroup> variants;  ///< the baseline first, then by name, controls last
    int rows = 0;
    std::vector<Exclusion>
        failures;  ///< runs that did not end well or lack what is compared: state, or what is missing
    std::vector<Exclusion> repeated;  ///< further runs of a variant, size and seed, which do not enter
};

/// Sorts runs by variant, size and seed.
///
/// A size is layers x width, split where token counts differ by more than 5%. A variant's run stands in the row of its
/// seed; seeds that the baseline lacks take its free rows in order, which is how a control with other seeds is paired.
/// Where a variant trained a size with several learning rates outside of a named search, the rate of least mean loss
/// enters and the others count as its search.
///
/// Throws InputError where there is nothing to compare: no run, no finished run, one variant, or no baseline.
RunGroups group_runs(const std::vector<ComparedRun>& runs, const std::string& baseline);

}  // namespace loglog
