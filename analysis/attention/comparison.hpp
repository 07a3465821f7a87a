#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/attention/bench_points.hpp"
#include "analysis/attention/family_tests.hpp"
#include "analysis/attention/multiplier.hpp"
#include "analysis/attention/run_groups.hpp"
#include "analysis/attention/tuning.hpp"

namespace loglog {

/// What a multiplier is a multiple of.
enum class CostAxis {
    flops,       ///< exact model FLOPs of training
    parameters,  ///< non-embedding parameters; on a ladder the tokens grow with them
    seconds,     ///< of training, as measured
};
CostAxis parse_cost_axis(std::string_view text);  ///< Throws InputError.
const char* to_text(CostAxis axis) noexcept;

struct CompareOptions {
    std::string baseline = "dense";
    std::vector<double> losses;  ///< where multipliers are stated; empty: the baseline's at its middle and largest size
    CostAxis axis = CostAxis::flops;  ///< of the headline
    BootstrapOptions bootstrap;
    Objective::Residual residual = Objective::Residual::log;
    std::vector<BenchKind> bench;  ///< measured elsewhere, shown beside
};

/// A variant at one size: means over its seeds, speed as the median.
struct SizeResult {
    int size = 0;
    int runs = 0;
    double parameters = 0;       ///< non-embedding
    double parameter_ratio = 0;  ///< to the baseline's
    double tokens = 0;
    double flops = 0;
    std::optional<double> flops_per_token;
    std::optional<double> flops_ratio;  ///< FLOPs per token, to the baseline's
    double loss = 0;                    ///< nats per token
    Estimate difference{};              ///< loss minus the baseline's in the same row: Student's interval
    std::optional<double> recall_loss;  ///< on tokens that repeat a rare pair seen in the context
    Estimate recall_difference{};
    std::optional<double> seconds;
    std::optional<double> tokens_per_second;
    std::optional<double> peak_memory_bytes;  ///< largest
    std::vector<double> loss_by_position;     ///< empty where a run has none
};

struct VariantResult {
    std::string name;
    std::string kind;  ///< of attention, without label and ratio; empty: not known
    bool is_control = false;
    bool is_paired = true;
    std::vector<SizeResult> sizes;  ///< those it has runs at
    Tuning tuning;
    std::optional<double> break_even_context;
};

/// All variants' laws over one kind of cost.
struct AxisResult {
    CostAxis axis = CostAxis::flops;
    std::string failure;            ///< why there are no laws; empty: there are
    std::vector<LossPoint> points;  ///< variants by their position
    std::vector<FamilyScore> scores;
    std::vector<NestedTest> tests;
    Estimate floor{};               ///< of the model with a shared floor and exponent; value NaN: not fitted
    bool floor_identified = false;  ///< its interval stays above zero
    FamilyFit fit;                  ///< what the multipliers are from
    double degrees = 0;             ///< of freedom the intervals rest on
    Estimate shared_exponent{};     ///< NaN where exponents are not shared
    std::vector<std::vector<Multiplier>> multipliers;  ///< by variant, by loss
    std::vector<Estimate> exponents;                   ///< each variant's own; empty: too few sizes
    std::vector<Estimate> exponent_differences;
    std::vector<Warning> warnings;  ///< of this axis
};

/// The fair comparison: everything `compare` prints.
struct Comparison {
    CompareOptions options;  ///< with the losses used
    std::vector<ComparedSize> sizes;
    std::vector<VariantResult> variants;  ///< the baseline first, controls last
    std::vector<AxisResult> axes;         ///< the headline's first
    std::optional<double> context;        ///< tokens, where all runs have the same
    std::size_t runs = 0;                 ///< given
    std::size_t compared = 0;             ///< in the fits
    std::vector<Exclusion> failures;
    std::vector<Exclusion> repeated;
    std::vector<Warning> warnings;  ///< of the design, the tuning and the headline's axis

    const AxisResult& headline() const { return axes.front(); }
};

/// Compares kinds of attention. Throws InputError where there is nothing to compare (group_runs), and where the runs
/// have one size alone.
Comparison compare_attention(const std::vector<ComparedRun>& runs, const CompareOptions& options);

/// What was found and what was not, a sentence an entry, without markup.
std::vector<std::string> findings(const Comparison& comparison);

/// The JSON object documented in docs/formats.md.
std::string to_json(const Comparison& comparison);

/// Tables and sentences for people.
std::string to_text(const Comparison& comparison);

}  // namespace loglog
