#include "analysis/inference/study.hpp"

#include <fmt/format.h>

#include "analysis/fit/selection.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

std::string choose_x(const Dataset& data, const Question& question) {
    const std::vector<std::string> known{"N", "D", "C"};
    if (!question.x.empty()) {
        for (const auto& name : known) {
            if (name == question.x) { return name; }
        }
        throw InputError{"--x '" + question.x + "' must be N, D or C (another column: --map N=COLUMN --x N)"};
    }
    for (const auto& name : known) {
        if (question.mapping.contains(name) || has_column(data, name, question.mapping)) { return name; }
    }
    return "N";
}

std::size_t loss_column(const Dataset& data, const Question& question) {
    auto mapping = question.mapping;
    if (!question.loss.empty()) { mapping["loss"] = question.loss; }
    return find_column(data, "loss", mapping);
}

std::vector<double> pick(const std::vector<double>& values, const std::vector<std::size_t>& rows) {
    std::vector<double> picked;
    for (const std::size_t row : rows) { picked.push_back(values[row]); }
    return picked;
}

struct Chosen {
    std::vector<double> x;
    std::vector<double> loss;
};

/// The points of a law of one variable; what is left out and why goes into `options`.
Chosen choose_points(const Dataset& data, const Question& question, const std::string& x, InferenceOptions& options) {
    std::vector<std::size_t> columns{find_column(data, x, question.mapping), loss_column(data, question)};
    const std::string other = x == "N" ? "D" : "N";
    const bool frontier = question.points == PointChoice::frontier;
    const bool has_other = frontier && x != "C" && has_column(data, other, question.mapping);
    if (has_other) { columns.push_back(find_column(data, other, question.mapping)); }
    const auto numbers = positive_columns(data, columns);
    if (!frontier || (x != "C" && !has_other)) { return {numbers[0], numbers[1]}; }

    const Selection selection =
        x == "C" ? lower_envelope(numbers[0], numbers[1]) : largest_other_per_value(numbers[0], numbers[2], x, other);
    for (std::size_t row = 0; row < selection.dropped_reason.size(); ++row) {
        if (!selection.dropped_reason[row].empty()) {
            options.excluded.push_back({data.row_names[row], selection.dropped_reason[row]});
        }
    }
    if (selection.others_differ) {
        options.warnings.push_back(
            {"unequal_" + other, fmt::format("the largest {0} differs from one {1} to the next: L({1}) also holds "
                                             "the effect of {0}",
                                             other, x)});
    }
    return {pick(numbers[0], selection.kept), pick(numbers[1], selection.kept)};
}

}  // namespace

Inference answer(const Dataset& data, Question question) {
    const Law& law = find_law(question.law);
    InferenceOptions options = std::move(question.inference);
    Points points;
    if (law.variables().size() == 1) {
        options.variable = choose_x(data, question);
        const Chosen chosen = choose_points(data, question, options.variable, options);
        const std::span<const double> columns[] = {chosen.x};
        points = make_points(columns, chosen.loss);
    } else {
        std::vector<std::size_t> columns;
        for (const auto variable : law.variables()) {
            columns.push_back(find_column(data, variable, question.mapping));
        }
        columns.push_back(loss_column(data, question));
        const auto numbers = positive_columns(data, columns);
        const std::vector<std::span<const double>> spans(numbers.begin(), numbers.end() - 1);
        points = make_points(spans, numbers.back());
        options.variable = std::string{law.variables()[0]};
    }
    Inference inference = infer(law, points, options);
    if (question.hold_out > 0) {
        inference.hold_out = hold_out_largest(law, points, options.objective, 0, options.variable, question.hold_out,
                                              options.bootstrap.threads);
    }
    return inference;
}

}  // namespace loglog
