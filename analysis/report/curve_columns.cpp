#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "analysis/report/curve_axes.hpp"
#include "analysis/report/figures.hpp"
#include "analysis/report/size_classes.hpp"
#include "analysis/report/thin.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_points_a_run = 300;
constexpr std::size_t most_points_a_page = 50'000;  // keeps a page of 1,000 runs well below 8 MB and quick to open

/// The tokens of a step where every step has as many, else 0.
double tokens_per_step(const RunCurve& curve) {
    if (curve.steps.empty() || curve.steps.size() != curve.tokens.size() || !(curve.steps.back() > 0)) { return 0; }
    const double each = curve.tokens.back() / curve.steps.back();
    for (std::size_t i = 0; i < curve.steps.size(); ++i) {
        if (std::abs(curve.tokens[i] - each * curve.steps[i]) > 0.5) { return 0; }
    }
    return each;
}

class Columns {
  public:
    Columns(const Report& report, std::size_t most) : sizes_{report}, most_{most} {}

    Json of(const ReportRun& run, CurveKind kind, std::span<const double> tokens, std::span<const double> loss) const {
        const RunCurve& curve = run.curve;
        const double each = tokens_per_step(curve);
        const bool has_steps = each == 0 && !curve.steps.empty() && curve.steps.size() == curve.tokens.size();
        const bool has_seconds = !curve.seconds.empty() && curve.seconds.size() == curve.tokens.size();
        Json at = Json::array(), losses = Json::array(), steps = Json::array(), seconds = Json::array();
        for (const auto& [x, value] : thin(tokens, loss, most_)) {
            if (!(value > 0) || !std::isfinite(value)) { continue; }  // a diverged run's end has no logarithm
            at.push_back(static_cast<std::int64_t>(x));
            losses.push_back(rounded(value, 5));
            if (has_steps) { steps.push_back(std::llround(interpolated(curve.tokens, curve.steps, x))); }
            if (has_seconds) { seconds.push_back(rounded(interpolated(curve.tokens, curve.seconds, x), 4)); }
        }
        const double n = static_cast<double>(run.record.non_embedding_params.value_or(0));
        Json columns = {{"run", run.record.id},
                        {"kind", kind == CurveKind::train ? "train" : "validation"},
                        {"N", n},
                        {"size", sizes_.label(n)},
                        {"state", to_text(run.record.state)},
                        {"flops_per_token", run.record.flops_per_token.value_or(0)},
                        {"tokens_per_step", each > 0 ? Json(each) : Json(nullptr)},
                        {"tokens", std::move(at)}};
        if (has_steps) { columns["steps"] = std::move(steps); }
        if (has_seconds) { columns["seconds"] = std::move(seconds); }
        columns["loss"] = std::move(losses);
        return columns;
    }

  private:
    SizeClasses sizes_;
    std::size_t most_;
};

}  // namespace

nlohmann::ordered_json curve_columns(const Report& report) {
    const auto& runs = report.input.runs;
    const std::size_t most =
        std::clamp<std::size_t>(most_points_a_page / std::max<std::size_t>(2 * runs.size(), 1), 24, most_points_a_run);
    const Columns columns{report, most};
    Json curves = Json::array();
    for (const auto& run : runs) {
        const RunCurve& curve = run.curve;
        // A logarithmic axis has no place for the evaluation before the first step.
        std::vector<double> val_tokens;
        std::vector<double> val_loss;
        for (std::size_t i = 0; i < curve.val_tokens.size(); ++i) {
            if (curve.val_tokens[i] <= 0) { continue; }
            val_tokens.push_back(curve.val_tokens[i]);
            val_loss.push_back(curve.val_loss[i]);
        }
        if (!curve.tokens.empty()) {
            curves.push_back(columns.of(run, CurveKind::train, curve.tokens, curve.train_loss));
        }
        if (!val_tokens.empty()) { curves.push_back(columns.of(run, CurveKind::validation, val_tokens, val_loss)); }
    }
    return curves;
}

std::string curves_csv(const nlohmann::ordered_json& columns) {
    std::string csv = "run,kind,N,size,state,tokens,step,flops,seconds,loss\n";
    for (const auto& curve : columns) {
        const auto& tokens = curve["tokens"];
        const double each = curve["tokens_per_step"].is_null() ? 0 : curve["tokens_per_step"].get<double>();
        for (std::size_t i = 0; i < tokens.size(); ++i) {
            const double at = tokens[i].get<double>();
            const std::string step = each > 0                  ? fmt::format("{:.0f}", at / each)
                                     : curve.contains("steps") ? curve["steps"][i].dump()
                                                               : std::string{};
            const std::string seconds = curve.contains("seconds") ? curve["seconds"][i].dump() : std::string{};
            fmt::format_to(std::back_inserter(csv), "{},{},{:.0f},{},{},{:.0f},{},{:.6g},{},{}\n",
                           curve["run"].get<std::string>(), curve["kind"].get<std::string>(), curve["N"].get<double>(),
                           curve["size"].get<std::string>(), curve["state"].get<std::string>(), at, step,
                           at * curve["flops_per_token"].get<double>(), seconds, curve["loss"][i].get<double>());
        }
    }
    return csv;
}

}  // namespace loglog
