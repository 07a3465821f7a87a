#include "analysis/inference/checks_input.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>
#include <numbers>
#include <utility>

#include "analysis/inference/checks.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr double same = 1e-3;           // relative, of printed numbers
constexpr double widest_compute = 30;   // exact FLOPs of small models with large vocabularies reach 20 times 6ND
constexpr std::size_t fewest_rows = 3;  // for a relation between columns to be none by chance
constexpr double pf_day = 8.64e19;      // FLOPs

std::vector<double> numbers(const Dataset& data, std::size_t column) {
    try {
        return positive_columns(data, {column}).front();
    } catch (const InputError&) { return {}; }
}

bool name_says(std::string name, std::initializer_list<const char*> words) {
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    return std::any_of(words.begin(), words.end(),
                       [&](const char* word) { return name.find(word) != std::string::npos; });
}

/// The first other column that `relation` turns into the loss in every row.
std::string related_column(const Dataset& data, std::size_t loss, const std::function<double(double)>& relation) {
    const auto losses = numbers(data, loss);
    if (losses.size() < fewest_rows) { return {}; }
    for (std::size_t column = 0; column < data.columns.size(); ++column) {
        if (column == loss) { continue; }
        const auto values = numbers(data, column);
        if (values.empty()) { continue; }
        bool holds = true;
        for (std::size_t row = 0; row < losses.size() && holds; ++row) {
            holds = std::abs(relation(values[row]) / losses[row] - 1) < same;
        }
        if (holds) { return data.columns[column]; }
    }
    return {};
}

void check_loss_unit(const Dataset& data, std::size_t loss, std::vector<Warning>& found) {
    const std::string& name = data.columns[loss];
    const auto explain = [&](const std::string& other, const char* relation) {
        return other.empty() ? "by its name" : fmt::format("in every row it is column '{}' {}", other, relation);
    };
    const std::string in_nats = related_column(data, loss, [](double nats) { return nats / std::numbers::ln2; });
    if (!in_nats.empty() || name_says(name, {"bits", "bpb", "bpc", "bpt"})) {
        found.push_back(
            {"loss_in_bits",
             fmt::format("the losses of column '{}' seem to be bits ({}): floors and amplitudes are then in "
                         "bits too and compare with none in nats; multiply by ln 2 = 0.693{}",
                         name, explain(in_nats, "over ln 2"), in_nats.empty() ? "" : ", or use --y " + in_nats)});
    }
    const std::string logarithm = related_column(data, loss, [](double nats) { return std::exp(nats); });
    if (!logarithm.empty() || name_says(name, {"ppl", "perplex"})) {
        if (name_says(name, {"log"})) { return; }  // log_perplexity is nats
        found.push_back({"loss_is_perplexity",
                         fmt::format("the losses of column '{}' seem to be perplexities ({}): the laws are of nats per "
                                     "token, their logarithm{}",
                                     name, explain(logarithm, "exponentiated"),
                                     logarithm.empty() ? "" : "; use --y " + logarithm)});
    }
}

/// "FLOPs in PF-days" where the factor is that of a usual unit, to 30%.
std::string unit_of(double ratio) {
    const std::pair<double, const char*> units[] = {
        {1 / pf_day, "PF-days"}, {1e-9, "GFLOPs"}, {1e-12, "TFLOPs"}, {1e-15, "PFLOPs"}, {1e-18, "EFLOPs"}};
    for (const auto& [factor, name] : units) {
        if (std::abs(std::log(ratio / factor)) < std::log(1.3)) { return fmt::format(": given in {}?", name); }
    }
    return ": another unit, or N or D in millions?";
}

void check_compute(const Dataset& data, const std::map<std::string, std::string>& mapping,
                   std::vector<Warning>& found) {
    std::vector<std::vector<double>> columns;
    for (const char* quantity : {"N", "D", "C"}) {
        if (!has_column(data, quantity, mapping)) { return; }
        columns.push_back(numbers(data, find_column(data, quantity, mapping)));
        if (columns.back().empty()) { return; }
    }
    std::vector<double> ratios;
    for (std::size_t row = 0; row < data.rows.size(); ++row) {
        ratios.push_back(columns[2][row] / (6 * columns[0][row] * columns[1][row]));
    }
    std::sort(ratios.begin(), ratios.end());
    const double median = ratios[ratios.size() / 2];
    if (median < widest_compute && median > 1 / widest_compute) { return; }
    const bool is_constant = ratios.back() < 1.5 * ratios.front();
    found.push_back(
        {"implausible_compute",
         fmt::format("C is {} times 6ND{}{}", ratio_text(median),
                     is_constant ? " in all rows"
                                 : fmt::format(" ({} to {})", ratio_text(ratios.front()), ratio_text(ratios.back())),
                     unit_of(median))});
}

}  // namespace

std::vector<Warning> table_warnings(const Dataset& data, const std::map<std::string, std::string>& mapping) {
    std::vector<Warning> found;
    if (has_column(data, "loss", mapping)) { check_loss_unit(data, find_column(data, "loss", mapping), found); }
    check_compute(data, mapping, found);
    return found;
}

}  // namespace loglog
