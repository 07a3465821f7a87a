#include "analysis/inference/study.hpp"

#include <fmt/format.h>

#include <set>

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
        assign_units(prepared.points, options, data, question.mapping, question.units, law);
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
    assign_units(prepared.points, options, data, question.mapping, question.units, law);
    return prepared;
}

namespace {

Inference fit(const std::shared_ptr<const Law>& law, const Prepared& prepared) {
    Inference inference = infer(*law, prepared.points, prepared.options);
    inference.chosen = law;
    return inference;
}

HoldOut hold_out(const Law& law, const Prepared& prepared, int count) {
    const InferenceOptions& options = prepared.options;
    return hold_out_largest(law, prepared.points, options.objective, 0, options.variable, count,
                            options.bootstrap.threads);
}

void require_onset_of_one_variable(const Law& law) {
    if (law.variables().size() == 1 && law.measured() == "loss") { return; }
    throw InputError{"--onset is for losses as a function of one variable (power, saturating, broken); the law '" +
                     std::string{law.name()} + "' is " + std::string{law.formula()}};
}

Onset find_onset(const Question& question, const Law& law, const Points& points, const InferenceOptions& options) {
    return find_onset(question.onset, law, points, options.objective, options.variable, options.bootstrap.threads);
}

/// The rows of `data` from the onset on. Those that `dropped` names are left out too: what they beat stays beaten, even
/// where they come before the onset themselves.
Dataset rows_from(const Onset& onset, const Dataset& data, const Question& question,
                  const std::vector<Exclusion>& dropped) {
    std::set<std::string> gone;
    for (const Exclusion& exclusion : dropped) { gone.insert(exclusion.id); }
    const auto reaches = reaches_onset(data, find_column(data, onset.variable, question.mapping), onset.from);
    Dataset later{data.source, data.columns, {}, {}};
    for (std::size_t row = 0; row < data.rows.size(); ++row) {
        if (reaches[row] == 0 || gone.contains(data.row_names[row])) { continue; }
        later.rows.push_back(data.rows[row]);
        later.row_names.push_back(data.row_names[row]);
    }
    return later;
}

/// `data` from the onset on, what is left out listed in the question's options.
Dataset begin_at(const Onset& onset, const Dataset& data, const Prepared& everything, Question& question) {
    Dataset later = rows_from(onset, data, question, everything.options.excluded);
    std::set<std::string> known{later.row_names.begin(), later.row_names.end()};
    question.inference.excluded = everything.options.excluded;
    for (const Exclusion& exclusion : question.inference.excluded) { known.insert(exclusion.id); }
    for (const std::string& row : data.row_names) {
        if (known.contains(row)) { continue; }
        question.inference.excluded.push_back(
            {row, fmt::format("{} is below the onset, {:.6g}", onset.variable, onset.from)});
    }
    return later;
}

std::string caveat_of_choice(const Onset& onset) {
    return fmt::format(
        "the onset {} = {:.6g} was chosen among {} by the points themselves: the intervals take it as given and do not "
        "include that choice (--sensitivity refits from the others)",
        onset.variable, onset.from, onset.candidates.size());
}

constexpr std::size_t most_onsets_refitted = 12;

/// Refits from other onsets that were tried, as choices of the sensitivity.
void vary_onset(Inference& inference, const Dataset& data, const Prepared& everything, const Question& question) {
    Sensitivity& sensitivity = *inference.examination.sensitivity;
    const auto& tried = inference.onset->candidates;
    const std::size_t stride = tried.size() / most_onsets_refitted + 1;
    for (std::size_t k = 0; k < tried.size(); k += stride) {
        if (tried[k].left_out == inference.onset->left_out) { continue; }
        Onset other = *inference.onset;
        other.from = tried[k].from;
        Question asked = question;
        const Prepared points = prepare(begin_at(other, data, everything, asked), asked, *inference.law);
        sensitivity.refits.push_back(refit(fmt::format("onset {} = {:.6g}", other.variable, other.from), *inference.law,
                                           points.points, inference.objective, endings(inference.optimum)));
    }
    sensitivity.ranges = ranges_of(sensitivity.refits);
}

/// The onset is found among the points that a fit without one would have; then all is asked of the rows from there on.
Inference answer_from_onset(const Dataset& data, Question question, const std::shared_ptr<const Law>& law) {
    require_onset_of_one_variable(*law);
    const Prepared everything = prepare(data, question, *law);
    const Onset onset = find_onset(question, *law, everything.points, everything.options);
    const bool is_chosen = onset.kind == OnsetRule::Kind::automatic;
    std::optional<HoldOut> held;
    if (question.hold_out > 0) {
        const auto known = without_largest(everything.points, static_cast<std::size_t>(question.hold_out),
                                           everything.options.variable);
        const Onset of_known = find_onset(question, *law, known, everything.options);
        Question forecast = question;
        held =
            hold_out(*law, prepare(begin_at(of_known, data, everything, forecast), forecast, *law), question.hold_out);
        if (is_chosen) { held->onset = of_known; }
    }
    const Dataset later = begin_at(onset, data, everything, question);
    if (question.examine.all_rows) {
        try {
            question.examine.all_rows = rows_from(onset, *question.examine.all_rows, question, {});
        } catch (const InputError&) {}  // a bad cell that --where had left out: the refit to these rows will tell it
    }
    if (is_chosen) { question.inference.warnings.push_back({"onset_chosen", caveat_of_choice(onset)}); }
    Inference inference = fit(law, prepare(later, question, *law));
    inference.onset = onset;
    inference.hold_out = std::move(held);
    examine(inference, later, question);
    if (inference.examination.sensitivity) { vary_onset(inference, data, everything, question); }
    return inference;
}

}  // namespace

Inference answer(const Dataset& data, Question question) {
    question.choice.one_variable = !question.x.empty();
    const auto law = choose_law(question.law, question.choice);
    require_measured(question, *law);
    if (law->measured() != "loss") { question.points = PointChoice::all; }  // the best of a rung is one of loss
    if (question.onset.kind != OnsetRule::Kind::none) { return answer_from_onset(data, std::move(question), law); }
    const Prepared prepared = prepare(data, question, *law);
    Inference inference = fit(law, prepared);
    if (question.hold_out > 0) { inference.hold_out = hold_out(*law, prepared, question.hold_out); }
    examine(inference, data, question);
    return inference;
}

}  // namespace loglog
