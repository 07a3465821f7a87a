#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "analysis/report/attention_section.hpp"
#include "analysis/report/drawable.hpp"
#include "analysis/report/figures.hpp"
#include "analysis/report/thin.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

constexpr int line_points = 48;

std::string fit_id(const std::string& law, const std::string& x) {
    return law + "-" + x + (x == "N" ? "-non_embedding" : "");
}

/// The fitted curve over the range of its points, with its 95% band.
void append_line(Json& rows, const Inference& fit) {
    const auto [low, high] = std::minmax_element(fit.points.ln_x.begin(), fit.points.ln_x.end());
    for (int i = 0; i < line_points; ++i) {
        const double share = static_cast<double>(i) / (line_points - 1);
        const double x = std::exp(fit.points.centre[0] + (*low)[0] + share * ((*high)[0] - (*low)[0]));
        const Estimate loss = predict(fit, x)[1].estimate;
        Json row = {{"law", fit.law->name()}, {"x", rounded(x, 6)}, {"loss", rounded(loss.value, 6)}};
        if (std::isfinite(loss.low) && std::isfinite(loss.high)) {
            row["low"] = rounded(loss.low, 6);
            row["high"] = rounded(loss.high, 6);
        }
        rows.push_back(std::move(row));
    }
}

/// Runs that the page's fits do not see, whatever they are of.
std::set<std::string> runs_outside(const Report& report) {
    std::set<std::string> ids;
    for (const auto& exclusion : report.excluded) { ids.insert(exclusion.id); }
    return ids;
}

/// Residuals of the runs that a fit of one variable used: ln(measured/fitted).
void append_residuals(Json& rows, const Report& report, const Inference& fit, const std::string& x) {
    std::set<std::string> left_out = runs_outside(report);
    for (const auto& exclusion : fit.excluded) { left_out.insert(exclusion.id); }
    for (const auto& [record, curve] : report.input.runs) {
        if (!can_be_fitted(record) || left_out.contains(record.id)) { continue; }
        const double at = quantity(record, x);
        const double fitted = fit.law->predict(fit.natural, at)[1].value;
        rows.push_back({{"run", record.id},
                        {"law", fit.law->name()},
                        {"x", at},
                        {"residual", rounded(std::log(*record.final_val_loss / fitted), 4)}});
    }
}

Json run_rows(const Report& report) {
    Json rows = Json::array();
    std::set<std::pair<std::string, std::string>> unused;  // (variable, run)
    for (const char* x : {"N", "D", "C"}) {
        const Inference* fit = report.find(fit_id("power", x));
        if (fit == nullptr) { continue; }
        for (const auto& exclusion : fit->excluded) { unused.insert({x, exclusion.id}); }
    }
    const auto outside = runs_outside(report);
    for (const auto& [record, curve] : report.input.runs) {
        if (!can_be_fitted(record)) { continue; }
        Json row = {{"run", record.id}};
        if (!record.name.empty()) { row["name"] = record.name; }
        for (const char* x : {"N", "D", "C"}) { row[x] = quantity(record, x); }
        row["loss"] = rounded(*record.final_val_loss, 7);
        row["attention"] = record.attention;
        if (record.seed) { row["seed"] = *record.seed; }
        for (const char* x : {"N", "D", "C"}) {
            row[std::string{"use_"} + x] =
                unused.contains({x, record.id}) || outside.contains(record.id) ? "not in the fit" : "in the fit";
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

/// Fitted against measured loss of the law of N and D.
Json surface_rows(const Report& report) {
    Json rows = Json::array();
    const Inference* fit = report.find("chinchilla-non_embedding");
    if (fit == nullptr) { return rows; }
    const auto outside = runs_outside(report);
    for (const auto& [record, curve] : report.input.runs) {
        if (!can_be_fitted(record) || outside.contains(record.id)) { continue; }
        const double n = quantity(record, "N");
        const double d = quantity(record, "D");
        const double fitted = std::exp(
            fit->law->log_loss(fit->optimum.best.coordinates,
                               std::array{std::log(n) - fit->points.centre[0], std::log(d) - fit->points.centre[1]}));
        rows.push_back({{"run", record.id},
                        {"N", n},
                        {"D", d},
                        {"fitted", rounded(fitted, 6)},
                        {"loss", rounded(*record.final_val_loss, 6)}});
    }
    return rows;
}

}  // namespace

nlohmann::ordered_json datasets(const Report& report) {
    Json sets;
    sets["runs"] = run_rows(report);
    for (const char* x : {"N", "D", "C"}) {
        Json lines = Json::array();
        Json residuals = Json::array();
        for (const char* law : {"power", "saturating"}) {
            const Inference* fit = report.find(fit_id(law, x));
            if (fit == nullptr) { continue; }
            append_line(lines, *fit);
            append_residuals(residuals, report, *fit, x);
        }
        sets[std::string{"line_"} + x] = std::move(lines);
        sets[std::string{"residual_"} + x] = std::move(residuals);
    }
    sets["surface"] = surface_rows(report);
    if (report.comparison) { sets.update(attention_datasets(*report.comparison)); }
    return sets;
}

}  // namespace loglog
