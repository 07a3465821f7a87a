#include "analysis/inference/run_dataset.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <type_traits>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

template <class T>
std::string cell(const std::optional<T>& value) {
    return value ? fmt::format("{}", *value) : std::string{};  // fmt's shortest form reads back exactly
}

/// Calls visit(name, optional number) for every numeric column of the view.
template <class Visit>
void visit_numbers(const RunRecord& run, const Visit& visit) {
    visit_columns(run, [&](const char* name, const auto& member) {
        using Member = std::remove_cvref_t<decltype(member)>;
        if constexpr (std::is_same_v<Member, std::optional<double>> ||
                      std::is_same_v<Member, std::optional<std::int64_t>>) {
            visit(name, member);
        }
    });
}

/// Which of N, D and C any run has. What none has is no reason to leave all out: imported runs often lack C, and a law
/// of N and D does without.
struct Recorded {
    bool N = false;
    bool D = false;
    bool C = false;
};

bool is_measured(const RunRecord& run) { return run.state == RunState::ok && run.final_val_loss.has_value(); }

Recorded recorded_by(std::span<const RunRecord> runs, ParameterCount count) {
    Recorded any;
    for (const RunRecord& run : runs) {
        if (!is_measured(run)) { continue; }
        any.N = any.N || parameters_of(run, count);
        any.D = any.D || run.tokens;
        any.C = any.C || run.flops;
    }
    return any;
}

std::string why_left_out(const RunRecord& run, ParameterCount count, const Recorded& any) {
    if (run.state != RunState::ok) {
        return std::string{"state is "} + to_text(run.state) +
               (run.state_reason.empty() ? "" : ": " + run.state_reason);
    }
    if (!run.final_val_loss) { return "no validation loss was measured"; }
    std::string missing;
    const auto add = [&](bool is_missing, const char* name) {
        if (is_missing) { missing += (missing.empty() ? "" : " and ") + std::string{name}; }
    };
    add(any.N && !parameters_of(run, count), "N");
    add(any.D && !run.tokens, "D");
    add(any.C && !run.flops, "C");
    return missing.empty() ? missing : missing + " not recorded";
}

/// Without the columns in which no row has anything, so that asking for one says that it is missing.
void drop_empty_columns(Dataset& data) {
    for (std::size_t k = data.columns.size(); k-- > 0;) {
        const auto is_empty = [k](const std::vector<std::string>& row) { return row[k].empty(); };
        if (!std::all_of(data.rows.begin(), data.rows.end(), is_empty)) { continue; }
        data.columns.erase(data.columns.begin() + static_cast<std::ptrdiff_t>(k));
        for (auto& row : data.rows) { row.erase(row.begin() + static_cast<std::ptrdiff_t>(k)); }
    }
}

}  // namespace

ParameterCount parse_parameter_count(std::string_view text) {
    for (const auto count : {ParameterCount::non_embedding, ParameterCount::with_head, ParameterCount::total}) {
        if (text == to_text(count)) { return count; }
    }
    throw InputError{"--count '" + std::string{text} + "' must be non_embedding, with_head or total"};
}

const char* to_text(ParameterCount count) noexcept {
    switch (count) {
        case ParameterCount::non_embedding:
            return "non_embedding";
        case ParameterCount::with_head:
            return "with_head";
        case ParameterCount::total:
            return "total";
    }
    return "non_embedding";
}

std::optional<std::int64_t> parameters_of(const RunRecord& run, ParameterCount count) {
    switch (count) {
        case ParameterCount::non_embedding:
            return run.non_embedding_params;
        case ParameterCount::total:
            return run.total_params;
        case ParameterCount::with_head:
            if (!run.total_params || !run.embedding_params) { return std::nullopt; }
            return *run.total_params - *run.embedding_params;
    }
    return std::nullopt;
}

RunDataset dataset_of_runs(std::span<const RunRecord> runs, ParameterCount count, const std::string& source) {
    RunDataset result;
    result.data.source = source;
    result.data.columns = {"N", "D", "C", "loss"};
    visit_numbers(RunRecord{}, [&](const char* name, const auto&) { result.data.columns.emplace_back(name); });
    result.data.columns.emplace_back("with_head_params");
    const Recorded any = recorded_by(runs, count);
    for (const RunRecord& run : runs) {
        if (std::string reason = why_left_out(run, count, any); !reason.empty()) {
            result.excluded.push_back({run.id, std::move(reason)});
            continue;
        }
        std::vector<std::string> row{cell(parameters_of(run, count)), cell(run.tokens), cell(run.flops),
                                     cell(run.final_val_loss)};
        visit_numbers(run, [&](const char*, const auto& value) { row.push_back(cell(value)); });
        row.push_back(cell(parameters_of(run, ParameterCount::with_head)));
        result.data.rows.push_back(std::move(row));
        result.data.row_names.push_back(run.id);
    }
    if (result.data.rows.empty()) {
        const std::string states = states_left_out(runs);
        throw InputError{source + ": no finished run to fit" + (states.empty() ? "" : " (" + states + ")") +
                         "; look at them with: loglog runs list"};
    }
    drop_empty_columns(result.data);
    return result;
}

std::vector<Warning> mixture_warnings(std::span<const RunRecord> runs) {
    constexpr std::array<std::string_view, 6> properties{"family", "attention", "context",
                                                         "vocab",  "data_hash", "parameterization"};
    std::map<std::string_view, std::set<std::string>> values;
    for (const RunRecord& run : runs) {
        if (run.state != RunState::ok) { continue; }
        visit_columns(run, [&](std::string_view name, const auto& member) {
            if (std::find(properties.begin(), properties.end(), name) == properties.end()) { return; }
            using Member = std::remove_cvref_t<decltype(member)>;
            if constexpr (std::is_same_v<Member, std::string>) {
                values[name].insert(member);
            } else if constexpr (std::is_same_v<Member, std::optional<std::int64_t>>) {
                values[name].insert(cell(member));
            }
        });
    }
    std::vector<Warning> warnings;
    for (const auto name : properties) {
        const auto& found = values[name];
        if (found.size() > 1) {
            warnings.push_back(
                {"mixed_runs", fmt::format("the runs differ in {} ({}): one law for all of them mixes its "
                                           "effect into the exponents; choose one with --where",
                                           name, fmt::join(found, ", "))});
        }
    }
    return warnings;
}

std::string states_left_out(std::span<const RunRecord> runs) {
    std::map<std::string, int> counts;
    for (const RunRecord& run : runs) {
        if (run.state != RunState::ok) { ++counts[to_text(run.state)]; }
    }
    std::string text;
    for (const auto& [state, number] : counts) {
        text += fmt::format("{}{} {}", text.empty() ? "left out: " : ", ", number, state);
    }
    return text;
}

}  // namespace loglog
