#include "db/import/plausible_units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace loglog {
namespace {

struct Sizes {
    std::optional<double> N;
    std::optional<double> D;
    std::optional<double> C;
};

template <class T>
std::optional<double> real(const std::optional<T>& value) {
    return value ? std::optional{static_cast<double>(*value)} : std::nullopt;
}

Sizes sizes_of(const RunRecord& record) {
    return {real(record.non_embedding_params ? record.non_embedding_params : record.total_params), real(record.tokens),
            record.flops};
}

struct Least {
    const char* quantity;
    const char* unit;
    std::optional<double> Sizes::*member;
    double largest_at_least;
};

void check_magnitude(const std::vector<Sizes>& sizes, const Least& least, const ImportOptions& options,
                     ImportProblems& problems) {
    if (options.scales.contains(least.quantity)) { return; }
    double largest = 0;
    for (const Sizes& run : sizes) { largest = std::max(largest, (run.*least.member).value_or(0)); }
    if (largest == 0 || largest >= least.largest_at_least) { return; }
    problems.add(
        fmt::format("the largest {0} is {1}: that is no number of {2}, unless of a toy; say --scale {0}=1e6 "
                    "for millions, 1e9 for billions, 1 if it is so",
                    least.quantity, largest, least.unit));
}

bool has_scale(const ImportOptions& options) {
    return std::any_of(options.scales.begin(), options.scales.end(), [](const auto& entry) {
        return entry.first == "N" || entry.first == "D" || entry.first == "C";
    });
}

void check_compute(std::span<const AssembledRun> runs, const std::vector<Sizes>& sizes, const ImportTable& table,
                   ImportProblems& problems) {
    constexpr double factor = 100;
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const auto& [N, D, C] = sizes[i];
        if (!N || !D || !C) { continue; }
        const double ratio = *C / (6 * *N * *D);
        if (ratio > factor || ratio < 1 / factor) {
            problems.add(
                fmt::format("{}: C = {:.3g} is {:.3g} times 6 N D, with N = {:.3g} and D = {:.3g}: one of them is "
                            "in another unit (--scale N=1e6, ...; C=1 if all are as they should be)",
                            table.rows[runs[i].rows.front()].place, *C, ratio, *N, *D));
        }
    }
}

void check_ratio(const std::vector<Sizes>& sizes, ImportProblems& problems) {
    constexpr double least = 1e-3;
    constexpr double most = 1e6;
    std::vector<double> ratios;
    for (const Sizes& run : sizes) {
        if (run.N && run.D) { ratios.push_back(*run.D / *run.N); }
    }
    if (ratios.empty()) { return; }
    const auto middle = ratios.begin() + static_cast<std::ptrdiff_t>(ratios.size() / 2);
    std::nth_element(ratios.begin(), middle, ratios.end());
    if (*middle < least || *middle > most) {
        problems.add(
            fmt::format("half of the runs have fewer, half more than D / N = {:.3g} tokens per parameter: N or D "
                        "is in another unit (--scale N=1e6, ...; D=1 if both are as they should be)",
                        *middle));
    }
}

}  // namespace

void check_units(std::span<const AssembledRun> runs, const ImportTable& table, const ColumnChoice& choice,
                 const ImportOptions& options, ImportProblems& problems) {
    std::vector<Sizes> sizes;
    for (const AssembledRun& run : runs) { sizes.push_back(sizes_of(run.run.record)); }
    const std::size_t before = problems.size();
    if (choice.columns.contains("N")) {
        check_magnitude(sizes, {"N", "parameters", &Sizes::N, 1e4}, options, problems);
    }
    if (choice.columns.contains("D")) { check_magnitude(sizes, {"D", "tokens", &Sizes::D, 1e5}, options, problems); }
    if (choice.columns.contains("C")) { check_magnitude(sizes, {"C", "FLOPs", &Sizes::C, 1e9}, options, problems); }
    if (problems.size() > before || has_scale(options)) { return; }
    check_compute(runs, sizes, table, problems);
    if (problems.size() == before) { check_ratio(sizes, problems); }
}

}  // namespace loglog
