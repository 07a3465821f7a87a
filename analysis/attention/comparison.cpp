#include "analysis/attention/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "analysis/attention/axis_analysis.hpp"
#include "analysis/attention/break_even.hpp"
#include "analysis/attention/fairness.hpp"
#include "analysis/attention/paired_difference.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

std::optional<double> median(std::vector<double> values) {
    if (values.empty()) { return std::nullopt; }
    std::sort(values.begin(), values.end());
    const std::size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::optional<double> mean(const std::vector<double>& values) {
    if (values.empty()) { return std::nullopt; }
    double sum = 0;
    for (const double value : values) { sum += value; }
    return sum / static_cast<double>(values.size());
}

std::vector<double> mean_by_position(const std::vector<ComparedRun>& runs, const std::vector<PlacedRun>& placed) {
    std::vector<double> sum;
    for (const auto& p : placed) {
        const auto& losses = runs[p.run].loss_by_position;
        if (losses.empty() || (!sum.empty() && losses.size() != sum.size())) { return {}; }
        sum.resize(losses.size(), 0);
        for (std::size_t i = 0; i < losses.size(); ++i) { sum[i] += losses[i] / static_cast<double>(placed.size()); }
    }
    return sum;
}

/// The runs of a variant at one size.
std::vector<PlacedRun> runs_at(const VariantGroup& variant, int size) {
    std::vector<PlacedRun> list;
    for (const auto& placed : variant.placed) {
        if (placed.size == size) { list.push_back(placed); }
    }
    return list;
}

/// A number of two variants' runs by row, its differences where both have it.
template <class ValueOf>
Estimate paired(const std::vector<PlacedRun>& baseline, const std::vector<PlacedRun>& variant,
                const ValueOf& value_of) {
    std::map<int, double> reference;
    for (const auto& p : baseline) {
        if (const std::optional<double> value = value_of(p)) { reference[p.row] = *value; }
    }
    std::vector<double> differences;
    for (const auto& p : variant) {
        const auto other = reference.find(p.row);
        const std::optional<double> value = value_of(p);
        if (other != reference.end() && value) { differences.push_back(*value - other->second); }
    }
    return mean_difference(differences);
}

class SizeSummary {
  public:
    SizeSummary(const std::vector<ComparedRun>& runs, const VariantGroup& baseline)
        : runs_{runs}, baseline_{baseline} {}

    SizeResult of(const VariantGroup& variant, int size, const ComparedSize& shape) const {
        const auto placed = runs_at(variant, size);
        const auto reference = runs_at(baseline_, size);
        const auto values = [&](const std::vector<PlacedRun>& list, const char* column) {
            std::vector<double> found;
            for (const auto& p : list) {
                if (const auto value = numeric_column(runs_[p.run].record, column)) { found.push_back(*value); }
            }
            return found;
        };
        SizeResult result;
        result.size = size;
        result.runs = static_cast<int>(placed.size());
        result.parameters = *mean(values(placed, "non_embedding_params"));
        result.parameter_ratio = result.parameters / shape.parameters;
        result.tokens = *mean(values(placed, "tokens"));
        result.flops = *mean(values(placed, "flops"));
        result.flops_per_token = mean(values(placed, "flops_per_token"));
        const auto of_baseline = mean(values(reference, "flops_per_token"));
        if (result.flops_per_token && of_baseline) { result.flops_ratio = *result.flops_per_token / *of_baseline; }
        result.loss = *mean(values(placed, "final_val_loss"));
        result.difference = difference(reference, placed, "final_val_loss");
        result.recall_loss = mean(values(placed, "recall_loss"));
        result.recall_difference = difference(reference, placed, "recall_loss");
        result.seconds = median(values(placed, "seconds"));
        result.tokens_per_second = median(values(placed, "tokens_per_second"));
        const auto memory = values(placed, "peak_memory_bytes");
        if (!memory.empty()) { result.peak_memory_bytes = *std::max_element(memory.begin(), memory.end()); }
        result.loss_by_position = mean_by_position(runs_, placed);
        return result;
    }

  private:
    Estimate difference(const std::vector<PlacedRun>& reference, const std::vector<PlacedRun>& placed,
                        const char* column) const {
        return paired(reference, placed,
                      [&](const PlacedRun& p) { return numeric_column(runs_[p.run].record, column); });
    }

    const std::vector<ComparedRun>& runs_;
    const VariantGroup& baseline_;
};

VariantResult result_of(const std::vector<ComparedRun>& runs, const RunGroups& groups, const VariantGroup& variant) {
    VariantResult result;
    result.name = variant.name;
    result.is_control = variant.is_control;
    result.is_paired = variant.is_paired;
    const SizeSummary summary{runs, groups.variants.front()};
    for (int size = 0; size < static_cast<int>(groups.sizes.size()); ++size) {
        if (runs_at(variant, size).empty()) { continue; }
        result.sizes.push_back(summary.of(variant, size, groups.sizes[static_cast<std::size_t>(size)]));
    }
    const MixingShape shape = mixing_shape(runs[variant.placed.back().run].record);
    result.kind = shape.kind;
    result.break_even_context = break_even_context(shape.kind, shape.head_dim, shape.chunk);
    result.tuning = tuning_of(runs, variant);
    return result;
}

/// The baseline's mean losses at its middle and largest size.
std::vector<double> default_losses(const VariantResult& baseline) {
    std::vector<double> losses;
    const std::size_t middle = (baseline.sizes.size() - 1) / 2;
    for (std::size_t s = 0; s < baseline.sizes.size(); ++s) {
        if (s == middle || s + 1 == baseline.sizes.size()) { losses.push_back(baseline.sizes[s].loss); }
    }
    return losses;
}

std::optional<double> common_context(const std::vector<ComparedRun>& runs, const RunGroups& groups) {
    std::set<double> contexts;
    for (const auto& variant : groups.variants) {
        for (const auto& placed : variant.placed) {
            contexts.insert(static_cast<double>(runs[placed.run].record.context.value_or(0)));
        }
    }
    return contexts.size() == 1 && *contexts.begin() > 0 ? std::optional{*contexts.begin()} : std::nullopt;
}

void check_sizes(const RunGroups& groups) {
    if (groups.sizes.size() > 1) { return; }
    throw InputError{
        fmt::format("compare: all finished runs have one size ({}): a multiplier needs the loss at two sizes at least, "
                    "three to see a floor; add sizes to the sweep",
                    groups.sizes.front().name())};
}

/// Gaps in the pairing and unusual ladders that are no unfairness, but that a reader must know.
void add_caveats(const RunGroups& groups, std::vector<Warning>& warnings) {
    if (groups.sizes.size() < 3) {
        warnings.push_back({"few_sizes", "two sizes alone: the exponent has no check, and a floor cannot be seen"});
    }
    if (!groups.failures.empty()) {
        warnings.push_back(
            {"runs_left_out", fmt::format("runs that did not end well or lack a number: {}; they are listed as data",
                                          groups.failures.size())});
    }
    if (!groups.repeated.empty()) {
        warnings.push_back({"repeated_runs", fmt::format("{} runs repeat a variant, size and seed and do not enter",
                                                         groups.repeated.size())});
    }
}

}  // namespace

CostAxis parse_cost_axis(std::string_view text) {
    for (const auto axis : {CostAxis::flops, CostAxis::parameters, CostAxis::seconds}) {
        if (text == to_text(axis)) { return axis; }
    }
    throw InputError{"--axis '" + std::string{text} + "' must be flops, parameters or seconds"};
}

const char* to_text(CostAxis axis) noexcept {
    switch (axis) {
        case CostAxis::flops:
            return "flops";
        case CostAxis::parameters:
            return "parameters";
        case CostAxis::seconds:
            return "seconds";
    }
    return "flops";
}

Comparison compare_attention(const std::vector<ComparedRun>& runs, const CompareOptions& options) {
    const RunGroups groups = group_runs(runs, options.baseline);
    check_sizes(groups);
    Comparison comparison;
    comparison.options = options;
    comparison.sizes = groups.sizes;
    comparison.runs = runs.size();
    comparison.failures = groups.failures;
    comparison.repeated = groups.repeated;
    comparison.context = common_context(runs, groups);
    std::vector<Tuning> tunings;
    for (const auto& variant : groups.variants) {
        comparison.variants.push_back(result_of(runs, groups, variant));
        comparison.compared += variant.placed.size();
        tunings.push_back(comparison.variants.back().tuning);
    }
    if (options.losses.empty()) { comparison.options.losses = default_losses(comparison.variants.front()); }

    comparison.warnings = fairness_warnings(runs, groups, tunings);
    add_caveats(groups, comparison.warnings);
    std::vector<CostAxis> axes{options.axis};
    for (const auto axis : {CostAxis::flops, CostAxis::parameters, CostAxis::seconds}) {
        if (axis != options.axis) { axes.push_back(axis); }
    }
    for (const auto axis : axes) {
        comparison.axes.push_back(analyse_axis(axis, points_on(axis, runs, groups), groups, comparison.options));
    }
    const auto& caveats = comparison.headline().warnings;
    comparison.warnings.insert(comparison.warnings.end(), caveats.begin(), caveats.end());
    if (!comparison.headline().failure.empty()) {
        throw InputError{std::string{"compare: no laws over "} + to_text(options.axis) + ": " +
                         comparison.headline().failure};
    }
    return comparison;
}

}  // namespace loglog
