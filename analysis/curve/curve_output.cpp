#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "analysis/curve/curve_fit.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json object(const CurveScore& s) {
    return {{"schedule", s.name},
            {"n_points", s.n_points},
            {"R2", number(s.r2)},
            {"MAE", number(s.mae)},
            {"RMSE", number(s.rmse)},
            {"PredE", number(s.mean_relative)},
            {"WorstE", number(s.worst_relative)}};
}

Json scores(const std::vector<CurveScore>& curves) {
    Json list = Json::array();
    for (const auto& one : curves) { list.push_back(object(one)); }
    return list;
}

Json object(const FormChoice& choice) {
    Json forms = Json::array();
    for (const FormScore& form : choice.forms) {
        Json folds = Json::array();
        for (std::size_t i = 0; i < choice.folds.size(); ++i) {
            const FormFold& fold = choice.folds[i];
            if (!fold.failure.empty()) { continue; }
            folds.push_back({{"left_out", fold.left_out}, {"n_points", fold.n_points}, {"mae", form.fold_error[i]}});
        }
        forms.push_back({{"form", form.form->name()}, {"score", number(form.score)}, {"folds", std::move(folds)}});
    }
    Json skipped = Json::array();
    for (const FormFold& fold : choice.folds) {
        if (!fold.failure.empty()) { skipped.push_back({{"left_out", fold.left_out}, {"reason", fold.failure}}); }
    }
    return {{"chosen", choice.chosen->name()},
            {"scored", choice.is_scored},
            {"forms", std::move(forms)},
            {"skipped", std::move(skipped)},
            {"note", choice.note}};
}

std::string text_number(double value) { return std::isfinite(value) ? fmt::format("{:.5g}", value) : "-"; }

void append_scores(std::string& text, const char* title, const std::vector<CurveScore>& curves) {
    if (curves.empty()) { return; }
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "\n  {:<22}{:>8}{:>12}{:>12}{:>12}{:>12}{:>12}\n", title, "points", "R2", "MAE", "RMSE",
                   "PredE", "WorstE");
    const auto line = [&](const CurveScore& s) {
        fmt::format_to(out, "  {:<22}{:>8}{:>12.6f}{:>12.5f}{:>12.5f}{:>12.5f}{:>12.5f}\n", s.name, s.n_points, s.r2,
                       s.mae, s.rmse, s.mean_relative, s.worst_relative);
    };
    for (const auto& one : curves) { line(one); }
    if (curves.size() > 1) { line(mean_score(curves)); }
}

/// One line a fold, the forms beside each other.
void append_choice(std::string& text, const FormChoice& choice) {
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "\n{}\n  {:<40}{:>8}", choice.note, "left out", "points");
    for (const FormScore& form : choice.forms) { fmt::format_to(out, "{:>14}", form.form->name()); }
    text += '\n';
    for (std::size_t i = 0; i < choice.folds.size(); ++i) {
        const FormFold& fold = choice.folds[i];
        fmt::format_to(out, "  {:<40}{:>8}", fmt::format("{}", fmt::join(fold.left_out, ", ")), fold.n_points);
        for (const FormScore& form : choice.forms) {
            if (fold.failure.empty()) { fmt::format_to(out, "{:>14.5f}", form.fold_error[i]); }
        }
        fmt::format_to(out, "{}\n", fold.failure.empty() ? "" : "  skipped: " + fold.failure);
    }
}

}  // namespace

std::string to_json(const CurveFit& fit) {
    Json root;
    root["law"] = "curve";
    root["form"] = fit.form->name();
    root["formula"] = fit.form->formula();
    const bool has_delta = fit.objective.penalty == Objective::Penalty::huber;
    root["objective"] = {{"name", to_string(fit.objective)},
                         {"delta", has_delta ? Json(fit.objective.delta) : Json(nullptr)},
                         {"value", number(fit.best.value)}};
    if (fit.form_choice) { root["form_choice"] = object(*fit.form_choice); }
    root["n_points"] = fit.n_points;
    root["n_runs"] = fit.train.size();
    root["starts"] = {{"n", fit.starts}, {"agreeing", fit.agreeing}};
    root["gradient_norm"] = number(fit.best.gradient_norm);
    root["condition"] = number(fit.best.condition);
    root["bootstrap"] = {{"resamples", fit.resamples}, {"used", fit.resampled.size()}};
    root["parameters"] = Json::object();
    for (const auto& [name, e] : fit.parameters) {
        root["parameters"][name] = {
            {"value", number(e.value)}, {"se", number(e.se)}, {"low", number(e.low)}, {"high", number(e.high)}};
    }
    root["derived"] = Json::object();
    root["train"] = scores(fit.train);
    root["hold_out"] = {{"schedules", scores(fit.test)},
                        {"mean", fit.test.empty() ? Json(nullptr) : object(mean_score(fit.test))}};
    root["predictions"] = Json::array();
    for (const auto& [name, steps, losses] : fit.predictions) {
        root["predictions"].push_back({{"schedule", name},
                                       {"final_loss", losses.empty() ? Json(nullptr) : number(losses.back())},
                                       {"step", steps},
                                       {"loss", losses}});
    }
    root["excluded"] = Json::array();
    for (const auto& [id, reason] : fit.excluded) { root["excluded"].push_back({{"id", id}, {"reason", reason}}); }
    root["warnings"] = Json::array();
    for (const auto& [code, text] : fit.warnings) { root["warnings"].push_back({{"code", code}, {"text", text}}); }
    return root.dump(2);
}

std::string to_text(const CurveFit& fit) {
    std::string text;
    const auto out = std::back_inserter(text);
    fmt::format_to(out, "curve ({}): {}\n{} losses of {} runs, objective {}", fit.form->name(), fit.form->formula(),
                   fit.n_points, fit.train.size(), to_string(fit.objective));
    if (fit.objective.penalty == Objective::Penalty::huber) {
        fmt::format_to(out, " (delta {:g})", fit.objective.delta);
    }
    fmt::format_to(out, " = {:.7g}\n{} of {} starts agree, gradient {:.1e}, condition {:.2g}\n\n", fit.best.value,
                   fit.agreeing, fit.starts, fit.best.gradient_norm, fit.best.condition);
    fmt::format_to(out, "  {:<22}{:>12}{:>12}{:>14}{:>12}\n", "", "value", "se", "95% from", "to");
    for (const auto& [name, e] : fit.parameters) {
        fmt::format_to(out, "  {:<22}{:>12}{:>12}{:>14}{:>12}\n", name, text_number(e.value), text_number(e.se),
                       text_number(e.low), text_number(e.high));
    }
    append_scores(text, "fitted", fit.train);
    append_scores(text, "held out", fit.test);
    if (fit.form_choice) { append_choice(text, *fit.form_choice); }
    for (const auto& [name, steps, losses] : fit.predictions) {
        if (losses.empty()) { continue; }
        fmt::format_to(out, "\npredicted for {}: {:.5f} nats per token after step {}\n", name, losses.back(),
                       steps.back());
    }
    if (!fit.excluded.empty()) { text += '\n'; }
    for (const auto& [id, reason] : fit.excluded) { fmt::format_to(out, "left out: {} ({})\n", id, reason); }
    if (!fit.warnings.empty()) { text += '\n'; }
    for (const auto& [code, message] : fit.warnings) { fmt::format_to(out, "warning [{}]: {}\n", code, message); }
    return text;
}

}  // namespace loglog
