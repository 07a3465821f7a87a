#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "sweeps/plan/plan.hpp"

namespace loglog {
namespace {

constexpr std::size_t fewest_sizes = 3;
constexpr double least_range = 4;

using Sizes = std::set<std::int64_t>;

double range_of(const Sizes& values) {
    return values.empty() ? 1
                          : static_cast<double>(*values.rbegin()) /
                                static_cast<double>(std::max<std::int64_t>(1, *values.begin()));
}

// The runs of one kind of attention: exponents are fitted for each kind by itself.
struct Group {
    Sizes sizes;
    Sizes tokens;
    std::map<double, Sizes> sizes_of_budget;
};

std::map<std::string, Group> group(const Plan& plan) {
    std::set<std::string> compared;  // an attention whose search came to nothing is not
    for (const PlannedRun& run : plan.runs) {
        if (run.stage != "lr-search") { compared.insert(attention_name(run.spec.model.attention)); }
    }
    std::map<std::string, Group> groups;
    for (const PlannedRun& run : plan.runs) {
        if (!compared.contains(attention_name(run.spec.model.attention))) { continue; }
        Group& mine = groups[attention_name(run.spec.model.attention)];
        mine.sizes.insert(run.cost.parameters.non_embedding());
        mine.tokens.insert(run.spec.train.tokens);
        mine.sizes_of_budget[run.target].insert(run.cost.parameters.non_embedding());
    }
    return groups;
}

}  // namespace

std::vector<std::string> reasons_against(const Plan& plan) {
    std::vector<std::string> reasons;
    if (plan.runs.empty()) { reasons.emplace_back("the sweep has no runs"); }
    const auto groups = group(plan);
    for (const auto& [attention, runs] : groups) {
        const std::string of = groups.size() > 1 ? fmt::format("attention '{}': ", attention) : "";
        if (runs.sizes.size() < fewest_sizes) {
            reasons.push_back(fmt::format("{}{} model size{}, but an exponent in N needs at least {}", of,
                                          runs.sizes.size(), runs.sizes.size() == 1 ? "" : "s", fewest_sizes));
        }
        if (runs.sizes.size() > 1 && range_of(runs.sizes) < least_range) {
            reasons.push_back(
                fmt::format("{}non-embedding parameters range over a factor of {:.2f} ({} to {}), but an "
                            "exponent in N needs at least {}",
                            of, range_of(runs.sizes), *runs.sizes.begin(), *runs.sizes.rbegin(), least_range));
        }
        if (runs.tokens.size() > 1 && plan.kind == SweepKind::grid && range_of(runs.tokens) < least_range) {
            reasons.push_back(
                fmt::format("{}tokens range over a factor of {:.2f} ({} to {}), but an exponent in D needs at "
                            "least {}",
                            of, range_of(runs.tokens), *runs.tokens.begin(), *runs.tokens.rbegin(), least_range));
        }
        if (plan.kind != SweepKind::isoflop) { continue; }
        for (const auto& [budget, sizes] : runs.sizes_of_budget) {
            if (sizes.size() >= fewest_sizes) { continue; }
            reasons.push_back(
                fmt::format("{}a budget of {:.3g} FLOPs is spent on {} model size{} only, but the best size of a "
                            "budget needs at least {}",
                            of, budget, sizes.size(), sizes.size() == 1 ? "" : "s", fewest_sizes));
        }
    }
    return reasons;
}

std::vector<std::string> remarks_on(const Plan& plan) {
    std::vector<std::string> remarks;
    for (const auto& [attention, runs] : group(plan)) {
        if (runs.tokens.size() == 1) {
            remarks.push_back(
                fmt::format("attention '{}': every run trains on {} tokens, so no exponent in D can be fitted",
                            attention, *runs.tokens.begin()));
        }
        if (plan.kind == SweepKind::grid && runs.tokens.size() == 2) {
            remarks.push_back(
                fmt::format("attention '{}': two token counts fix an exponent in D only if the loss has no "
                            "irreducible part",
                            attention));
        }
    }
    return remarks;
}

}  // namespace loglog
