#include "analysis/inference/study.hpp"

#include <fmt/format.h>

#include "analysis/fit/selection.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

bool is_usual(const std::string& x) { return x == "N" || x == "D" || x == "C"; }

std::string choose_x(const Dataset& data, const Question& question, const Law& law) {
    if (!question.x.empty()) {
        find_column(data, question.x, question.mapping);  // a wrong name is told with the nearest column
        return question.x;
    }
    if (law.measured() != "loss") {
        throw InputError{"the law '" + question.law +
                         "' is a function of a column that --x must name: " + std::string{law.formula()}};
    }
    for (const std::string name : {"N", "D", "C"}) {
        if (question.mapping.contains(name) || has_column(data, name, question.mapping)) { return name; }
    }
    return "N";
}

/// The column that the law predicts. One that predicts no loss must be told which: a loss would fit and mean nothing.
void require_measured(const Question& question, const Law& law) {
    if (law.measured() == "loss" || !question.loss.empty() || question.mapping.contains("loss")) { return; }
    throw InputError{"the law '" + question.law + "' does not predict a loss (" + std::string{law.formula()} +
                     "): name the measured column with --y"};
}

std::size_t loss_column(const Dataset& data, const Question& question) {
    auto mapping = question.mapping;
    if (!question.loss.empty()) { mapping["loss"] = question.loss; }
    return find_column(data, "loss", mapping);
}

template <class T>
std::vector<T> pick(const std::vector<T>& values, const std::vector<std::size_t>& rows) {
    std::vector<T> picked;
    for (const std::size_t row : rows) { picked.push_back(values[row]); }
    return picked;
}

struct Chosen {
    std::vector<double> x;
    std::vector<double> loss;
    std::vector<std::string> ids;
};

/// The points of a law of one variable; what is left out and why goes into `options`.
Chosen choose_points(const Dataset& data, const Question& question, const std::string& x, InferenceOptions& options) {
    std::vector<std::size_t> columns{find_column(data, x, question.mapping), loss_column(data, question)};
    const std::string other = x == "N" ? "D" : "N";
    const bool frontier = question.points == PointChoice::frontier && is_usual(x);
    const bool has_other = frontier && x != "C" && has_column(data, other, question.mapping);
    if (has_other) { columns.push_back(find_column(data, other, question.mapping)); }
    const auto numbers = positive_columns(data, columns);
    if (!frontier || (x != "C" && !has_other)) { return {numbers[0], numbers[1], data.row_names}; }

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
    return {pick(numbers[0], selection.kept), pick(numbers[1], selection.kept), pick(data.row_names, selection.kept)};
}

}  // namespace

Prepared prepare(const Dataset& data, const Question& question, const Law& law) {
    Prepared prepared;
    prepared.options = question.inference;
    InferenceOptions& options = prepared.options;
    if (law.variables().size() == 1) {
        options.variable = choose_x(data, question, law);
        Chosen chosen = choose_points(data, question, options.variable, options);
        const std::span<const double> columns[] = {chosen.x};
        prepared.points = make_points(columns, chosen.loss);
        options.ids = std::move(chosen.ids);
        assign_units(prepared.points, options, data, question.mapping, question.units);
        return prepared;
    }
    std::vector<std::size_t> columns;
    for (const auto variable : law.variables()) { columns.push_back(find_column(data, variable, question.mapping)); }
    columns.push_back(loss_column(data, question));
    const auto numbers = positive_columns(data, columns);
    const std::vector<std::span<const double>> spans(numbers.begin(), numbers.end() - 1);
    prepared.points = make_points(spans, numbers.back());
    options.variable = std::string{law.variables()[0]};
    options.ids = data.row_names;
    assign_units(prepared.points, options, data, question.mapping, question.units);
    return prepared;
}

Inference answer(const Dataset& data, Question question) {
    question.choice.one_variable = !question.x.empty();
    const auto law = choose_law(question.law, question.choice);
    require_measured(question, *law);
    if (law->measured() != "loss") { question.points = PointChoice::all; }  // the best of a rung is one of loss
    const Prepared prepared = prepare(data, question, *law);
    Inference inference = infer(*law, prepared.points, prepared.options);
    inference.chosen = law;
    if (question.hold_out > 0) {
        inference.hold_out =
            hold_out_largest(*law, prepared.points, prepared.options.objective, 0, prepared.options.variable,
                             question.hold_out, prepared.options.bootstrap.threads);
    }
    examine(inference, data, question);
    return inference;
}

}  // namespace loglog
