#include "analysis/curve/form_choice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/curve/curve_fit.hpp"
#include "analysis/curve/curve_forms.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr std::size_t most_folds = 8;
constexpr std::size_t fewest_folds = 2;

using Positions = std::vector<std::size_t>;

/// Curves of equal rates, such as repeated seeds: one of them would tell what the others do.
std::vector<Positions> schedules_of(std::span<const Curve> curves) {
    std::vector<Positions> schedules;
    for (std::size_t i = 0; i < curves.size(); ++i) {
        const auto same = std::find_if(schedules.begin(), schedules.end(), [&](const Positions& schedule) {
            return curves[schedule.front()].rates == curves[i].rates;
        });
        if (same == schedules.end()) {
            schedules.push_back({i});
        } else {
            same->push_back(i);
        }
    }
    return schedules;
}

/// Whole schedules, dealt out in turn.
std::vector<std::vector<Positions>> folds_of(const std::vector<Positions>& schedules) {
    std::vector<std::vector<Positions>> folds(std::min(most_folds, schedules.size()));
    for (std::size_t i = 0; i < schedules.size(); ++i) { folds[i % folds.size()].push_back(schedules[i]); }
    return folds;
}

struct Split {
    std::vector<Curve> fitted;
    std::vector<Curve> left_out;
    std::vector<std::size_t> schedule;  ///< of each curve left out
};

Split split(std::span<const Curve> curves, const std::vector<Positions>& fold) {
    std::vector<std::size_t> schedule(curves.size(), fold.size());
    for (std::size_t s = 0; s < fold.size(); ++s) {
        for (const std::size_t i : fold[s]) { schedule[i] = s; }
    }
    Split parts;
    for (std::size_t i = 0; i < curves.size(); ++i) {
        if (schedule[i] == fold.size()) {
            parts.fitted.push_back(curves[i]);
        } else {
            parts.left_out.push_back(curves[i]);
            parts.schedule.push_back(schedule[i]);
        }
    }
    return parts;
}

/// Mean absolute error in nats of each schedule left out. Throws InputError where the others cannot be fitted.
std::vector<double> errors_of(const CurveForm& form, const Split& parts, std::size_t schedules,
                              const CurveFitOptions& options) {
    const CurveFit fit = fit_curves(form, parts.fitted, parts.left_out, options);
    std::vector<double> sum(schedules, 0);
    std::vector<double> count(schedules, 0);
    for (std::size_t i = 0; i < fit.test.size(); ++i) {
        const auto n = static_cast<double>(fit.test[i].n_points);
        sum[parts.schedule[i]] += n * fit.test[i].mae;
        count[parts.schedule[i]] += n;
    }
    for (std::size_t s = 0; s < schedules; ++s) { sum[s] /= count[s]; }
    return sum;
}

double mean(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) { sum += value; }
    return sum / static_cast<double>(values.size());  // NaN for none
}

double chosen_score(const FormChoice& choice) {
    const auto found = std::find_if(choice.forms.begin(), choice.forms.end(),
                                    [&](const FormScore& one) { return one.form == choice.chosen; });
    return found->score;
}

std::string note_of(const FormChoice& choice) {
    if (!choice.is_scored) {
        return fmt::format(
            "the form is multi-power because there is no telling which predicts better: {} of {} schedules could be "
            "left out and predicted from the others, {} are wanted",
            choice.usable_folds, choice.folds.size(), fewest_folds);
    }
    std::string others;
    for (const FormScore& one : choice.forms) {
        if (one.form == choice.chosen) { continue; }
        others += fmt::format(", {} by {:.5f}", one.form->name(), one.score);
    }
    return fmt::format(
        "the form is {0}: it misses schedules that were left out of its fit by {1:.5f} nats on average{2}",
        choice.chosen->name(), chosen_score(choice), others);
}

}  // namespace

FormChoice choose_form(std::span<const Curve> train, const CurveFitOptions& options) {
    CurveFitOptions alone = options;
    alone.bootstrap.resamples = 0;
    alone.search = CurveSearch::quick;
    FormChoice choice;
    for (const CurveForm* form : {&multi_power_form(), &annealing_form()}) { choice.forms.push_back({form, {}, 0}); }
    std::vector<std::vector<double>> errors(choice.forms.size());  // [forms][schedules of usable folds]
    for (const auto& fold : folds_of(schedules_of(train))) {
        const Split parts = split(train, fold);
        FormFold one;
        for (const Curve& curve : parts.left_out) {
            one.left_out.push_back(curve.name);
            one.n_points += curve.losses.size();
        }
        std::vector<std::vector<double>> found;
        try {
            if (parts.fitted.empty()) { throw InputError{"there is no other schedule to fit"}; }
            for (const FormScore& form : choice.forms) {
                found.push_back(errors_of(*form.form, parts, fold.size(), alone));
            }
        } catch (const Error& error) { one.failure = error.what(); }
        for (std::size_t f = 0; f < choice.forms.size(); ++f) {
            const bool usable = one.failure.empty();
            choice.forms[f].fold_error.push_back(usable ? mean(found[f]) : std::numeric_limits<double>::quiet_NaN());
            if (usable) { errors[f].insert(errors[f].end(), found[f].begin(), found[f].end()); }
        }
        choice.usable_folds += one.failure.empty() ? 1 : 0;
        choice.folds.push_back(std::move(one));
    }
    for (std::size_t f = 0; f < choice.forms.size(); ++f) { choice.forms[f].score = mean(errors[f]); }
    choice.is_scored = choice.usable_folds >= fewest_folds;
    const auto best =
        std::min_element(choice.forms.begin(), choice.forms.end(),
                         [](const FormScore& left, const FormScore& right) { return left.score < right.score; });
    choice.chosen = choice.is_scored ? best->form : &multi_power_form();
    choice.note = note_of(choice);
    return choice;
}

CurveFit fit_chosen_form(std::span<const Curve> train, std::span<const Curve> test, CurveFitOptions options) {
    FormChoice choice = choose_form(train, options);
    if (!choice.is_scored) { options.warnings.push_back({"form_not_chosen", choice.note}); }
    CurveFit fit = fit_curves(*choice.chosen, train, test, options);
    fit.form_choice = std::move(choice);
    return fit;
}

}  // namespace loglog
