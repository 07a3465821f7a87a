#include "analysis/attention/run_groups.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <type_traits>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr double same_tokens = 1.05;  // token counts within this factor belong to one size
constexpr std::string_view control_ending = "-aa";

/// Positions of runs by variant.
using ByVariant = std::map<std::string, std::vector<std::size_t>>;

/// What a finished run lacks to be compared: "without layers and width", "with a validation loss of inf"; else empty.
std::string gap_of(const RunRecord& record) {
    const std::pair<const char*, bool> known[] = {{"a validation loss", record.final_val_loss.has_value()},
                                                  {"N", record.non_embedding_params.has_value()},
                                                  {"D", record.tokens.has_value()},
                                                  {"C", record.flops.has_value()},
                                                  {"layers", record.layers.has_value()},
                                                  {"width", record.width.has_value()}};
    std::vector<std::string> missing;
    for (const auto& [name, is_known] : known) {
        if (!is_known) { missing.emplace_back(name); }
    }
    if (missing.size() > 1) {
        const std::string last = missing.back();
        missing.pop_back();
        missing.back() += " and " + last;
    }
    if (!missing.empty()) { return fmt::format("without {}", fmt::join(missing, ", ")); }
    const auto is_positive = [](double value) { return std::isfinite(value) && value > 0; };
    if (!is_positive(*record.final_val_loss)) {
        return fmt::format("with a validation loss of {}", *record.final_val_loss);
    }
    if (!is_positive(*record.flops)) { return fmt::format("with {} FLOPs", *record.flops); }
    return "";
}

bool can_be_compared(const RunRecord& record) { return record.state == RunState::ok && gap_of(record).empty(); }

std::string failure_of(const RunRecord& record) {
    const std::string what = record.attention + (record.name.empty() ? "" : ", " + record.name) + ": ";
    if (record.state == RunState::ok) { return what + gap_of(record); }
    return what + to_text(record.state) + (record.state_reason.empty() ? "" : ": " + record.state_reason);
}

/// Why none of the runs can be compared: "12 without layers and width, 2 diverged".
std::string why_none(const std::vector<ComparedRun>& runs) {
    std::map<std::string, int> counts;
    for (const auto& run : runs) {
        const RunRecord& r = run.record;
        const std::string gap = r.state == RunState::ok ? gap_of(r) : to_text(r.state);
        ++counts[gap.empty() ? "of a learning-rate search" : gap];
    }
    std::string text;
    for (const auto& [reason, count] : counts) {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, reason);
    }
    if (text.find("without") != std::string::npos) {
        text += "; what an imported run lacks is stated at import (--map width=COLUMN, --value layers=12)";
    }
    return text;
}

/// The sizes of the runs that enter, ascending.
class Sizes {
  public:
    void add(const RunRecord& record) { tokens_[{*record.layers, *record.width}].insert(*record.tokens); }

    std::vector<ComparedSize> list() const {
        std::vector<ComparedSize> sizes;
        for (const auto& [shape, counts] : tokens_) {
            double last = 0;
            for (const auto count : counts) {
                const double tokens = static_cast<double>(count);
                if (tokens > same_tokens * last) { sizes.push_back({shape.first, shape.second, tokens, 0}); }
                last = tokens;
            }
        }
        return sizes;
    }

  private:
    std::map<std::pair<std::int64_t, std::int64_t>, std::set<std::int64_t>> tokens_;
};

/// The size of a run: the largest of its shape that does not start above its tokens.
int size_of(const RunRecord& record, const std::vector<ComparedSize>& sizes) {
    int found = -1;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        const auto& size = sizes[i];
        if (size.layers != *record.layers || size.width != *record.width) { continue; }
        if (size.tokens <= static_cast<double>(*record.tokens)) { found = static_cast<int>(i); }
    }
    return found;
}

class Grouping {
  public:
    Grouping(const std::vector<ComparedRun>& runs, const std::string& baseline) : runs_{runs}, baseline_{baseline} {}

    RunGroups group() {
        const ByVariant entering = sort_out();
        check(entering);
        Sizes sizes;
        for (const auto& [name, list] : entering) {
            for (const auto run : list) { sizes.add(runs_[run].record); }
        }
        groups_.sizes = sizes.list();
        order_variants(entering);
        for (auto& variant : groups_.variants) { place(variant, entering.at(variant.name)); }
        describe_sizes();
        assign_rows();
        return std::move(groups_);
    }

  private:
    const RunRecord& record(std::size_t run) const { return runs_[run].record; }

    /// Runs that may enter; searches and failures are noted.
    ByVariant sort_out() {
        std::vector<const RunRecord*> records;
        for (const auto& run : runs_) { records.push_back(&run.record); }
        const std::vector<bool> enters = enters_comparison(records);
        ByVariant entering;
        for (std::size_t i = 0; i < runs_.size(); ++i) {
            const RunRecord& r = record(i);
            const bool finished = can_be_compared(r);
            if (!finished) { groups_.failures.push_back({r.id, failure_of(r)}); }
            if (role_of(r) == RunRole::search) { searches_[r.attention].push_back(i); }
            if (role_of(r) == RunRole::recheck) { rechecks_[r.attention].push_back(i); }
            if (finished && enters[i]) { entering[r.attention].push_back(i); }
        }
        return entering;
    }

    void check(const ByVariant& entering) const {
        if (runs_.empty()) { throw InputError{"compare: no run was chosen"}; }
        if (entering.empty()) {
            throw InputError{
                fmt::format("compare: none of the {} chosen runs can be compared: {}; see: loglog runs list",
                            runs_.size(), why_none(runs_))};
        }
        std::vector<std::string> names;
        for (const auto& [name, list] : entering) { names.push_back(name.empty() ? "(none)" : name); }
        if (!entering.contains(baseline_)) {
            throw InputError{fmt::format(
                "compare: no finished run has the baseline's attention '{}'; there are {}: choose one by --baseline",
                baseline_, fmt::join(names, ", "))};
        }
        if (entering.size() < 2) {
            throw InputError{fmt::format(
                "compare: all finished runs have the attention '{}': there is nothing to compare it with", baseline_)};
        }
    }

    void order_variants(const ByVariant& entering) {
        for (const auto& [name, list] : entering) {
            VariantGroup variant;
            variant.name = name;
            const bool all_named_control = std::all_of(
                list.begin(), list.end(), [&](std::size_t run) { return record(run).name.starts_with("control"); });
            variant.is_control =
                name != baseline_ && (name == baseline_ + std::string{control_ending} || all_named_control);
            variant.search = searches_[name];
            variant.recheck = rechecks_[name];
            groups_.variants.push_back(std::move(variant));
        }
        const auto rank = [&](const VariantGroup& variant) {
            return variant.name == baseline_ ? 0 : variant.is_control ? 2 : 1;
        };
        std::stable_sort(groups_.variants.begin(), groups_.variants.end(),
                         [&](const auto& left, const auto& right) { return rank(left) < rank(right); });
    }

    /// Puts a variant's runs into their sizes: one run a seed, all of the better learning rate.
    void place(VariantGroup& variant, const std::vector<std::size_t>& list) {
        std::map<int, std::vector<std::size_t>> by_size;
        for (const auto run : list) { by_size[size_of(record(run), groups_.sizes)].push_back(run); }
        for (auto& [size, runs] : by_size) {
            keep_best_rate(runs, variant.search);
            std::stable_sort(runs.begin(), runs.end(), [&](auto left, auto right) {
                return record(left).seed.value_or(0) < record(right).seed.value_or(0);
            });
            std::optional<std::int64_t> last;
            for (const auto run : runs) {
                const auto seed = record(run).seed.value_or(0);
                if (last == seed) {
                    groups_.repeated.push_back({record(run).id, "another run has its attention, size and seed"});
                    continue;
                }
                last = seed;
                variant.placed.push_back({run, size, -1});
            }
        }
    }

    void keep_best_rate(std::vector<std::size_t>& runs, std::vector<std::size_t>& others) const {
        std::map<double, std::vector<std::size_t>> by_rate;
        for (const auto run : runs) { by_rate[record(run).lr.value_or(0)].push_back(run); }
        if (by_rate.size() < 2) { return; }
        const auto mean = [&](const std::vector<std::size_t>& list) {
            double sum = 0;
            for (const auto run : list) { sum += *record(run).final_val_loss; }
            return sum / static_cast<double>(list.size());
        };
        const auto best = std::min_element(by_rate.begin(), by_rate.end(), [&](const auto& left, const auto& right) {
            return mean(left.second) < mean(right.second);
        });
        runs = best->second;
        // The kept runs are one point of the search, too.
        for (const auto& [rate, list] : by_rate) { others.insert(others.end(), list.begin(), list.end()); }
    }

    /// N and D of each size as the baseline has them; then sizes in order of N, with the runs' numbers changed to
    /// match.
    void describe_sizes() {
        for (const auto& variant : groups_.variants) {
            for (const auto& placed : variant.placed) {
                auto& size = groups_.sizes[static_cast<std::size_t>(placed.size)];
                if (size.parameters > 0) { continue; }
                size.parameters = static_cast<double>(*record(placed.run).non_embedding_params);
                size.tokens = static_cast<double>(*record(placed.run).tokens);
            }
        }
        std::vector<int> order(groups_.sizes.size());
        for (std::size_t i = 0; i < order.size(); ++i) { order[i] = static_cast<int>(i); }
        const auto& sizes = groups_.sizes;
        std::stable_sort(order.begin(), order.end(), [&](int left, int right) {
            const auto& a = sizes[static_cast<std::size_t>(left)];
            const auto& b = sizes[static_cast<std::size_t>(right)];
            return std::pair{a.parameters, a.tokens} < std::pair{b.parameters, b.tokens};
        });
        std::vector<ComparedSize> sorted;
        std::vector<int> place(order.size());
        for (std::size_t i = 0; i < order.size(); ++i) {
            place[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
            sorted.push_back(sizes[static_cast<std::size_t>(order[i])]);
        }
        groups_.sizes = std::move(sorted);
        for (auto& variant : groups_.variants) {
            for (auto& placed : variant.placed) { placed.size = place[static_cast<std::size_t>(placed.size)]; }
            std::stable_sort(variant.placed.begin(), variant.placed.end(),
                             [](const auto& left, const auto& right) { return left.size < right.size; });
        }
    }

    void assign_rows() {
        for (int size = 0; size < static_cast<int>(groups_.sizes.size()); ++size) {
            std::map<std::int64_t, int> row_of_seed;
            for (auto& variant : groups_.variants) { assign_rows(variant, size, row_of_seed); }
        }
    }

    void assign_rows(VariantGroup& variant, int size, std::map<std::int64_t, int>& row_of_seed) {
        const bool first = row_of_seed.empty();
        std::set<int> taken;
        std::vector<PlacedRun*> others;
        for (auto& placed : variant.placed) {
            if (placed.size != size) { continue; }
            const auto seed = record(placed.run).seed.value_or(0);
            if (first) { row_of_seed[seed] = groups_.rows++; }
            const auto row = row_of_seed.find(seed);
            if (row == row_of_seed.end()) {
                others.push_back(&placed);
            } else {
                taken.insert(placed.row = row->second);
            }
        }
        for (PlacedRun* placed : others) {
            variant.is_paired = false;
            const auto free = std::find_if(row_of_seed.begin(), row_of_seed.end(),
                                           [&](const auto& entry) { return !taken.contains(entry.second); });
            if (free != row_of_seed.end()) {
                placed->row = free->second;
            } else {
                placed->row = row_of_seed[record(placed->run).seed.value_or(0)] = groups_.rows++;
            }
            taken.insert(placed->row);
        }
    }

    const std::vector<ComparedRun>& runs_;
    const std::string& baseline_;
    std::map<std::string, std::vector<std::size_t>> searches_, rechecks_;
    RunGroups groups_;
};

}  // namespace

RunRole role_of(const RunRecord& record) noexcept {
    if (record.name.starts_with("lr-search")) { return RunRole::search; }
    if (record.name.starts_with("lr-recheck")) { return RunRole::recheck; }
    return RunRole::compared;
}

std::vector<bool> enters_comparison(const std::vector<const RunRecord*>& runs) {
    using Place = std::tuple<std::string, std::int64_t, std::int64_t, std::int64_t>;  // attention, layers, width, seed
    const auto place_of = [](const RunRecord& r) {
        return Place{r.attention, r.layers.value_or(0), r.width.value_or(0), r.seed.value_or(0)};
    };
    std::set<std::pair<std::string, double>> rates;
    std::set<Place> places;
    std::vector<bool> enters;
    for (const RunRecord* run : runs) {
        enters.push_back(role_of(*run) == RunRole::compared);
        if (!enters.back()) { continue; }
        rates.insert({run->attention, run->lr.value_or(0)});
        if (run->state == RunState::ok) { places.insert(place_of(*run)); }
    }
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const RunRecord& run = *runs[i];
        if (role_of(run) != RunRole::search || run.state != RunState::ok) { continue; }
        enters[i] = rates.contains({run.attention, run.lr.value_or(0)}) && places.insert(place_of(run)).second;
    }
    return enters;
}

std::optional<double> numeric_column(const RunRecord& record, std::string_view name) {
    std::optional<double> found;
    visit_columns(record, [&](std::string_view column, const auto& member) {
        using Member = std::remove_cvref_t<decltype(member)>;
        if constexpr (std::is_same_v<Member, std::optional<double>> ||
                      std::is_same_v<Member, std::optional<std::int64_t>>) {
            if (column == name && member) { found = static_cast<double>(*member); }
        }
    });
    return found;
}

std::string ComparedSize::name() const { return fmt::format("{}x{}", layers, width); }

RunGroups group_runs(const std::vector<ComparedRun>& runs, const std::string& baseline) {
    return Grouping{runs, baseline}.group();
}

}  // namespace loglog
