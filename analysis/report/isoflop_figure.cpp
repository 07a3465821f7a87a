#include <fmt/format.h>

#include <cmath>

#include "analysis/isoflop/optima.hpp"
#include "analysis/report/chart_parts.hpp"
#include "analysis/report/drawable.hpp"
#include "analysis/report/drawing.hpp"
#include "analysis/report/thin.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

constexpr double same_budget = 0.05;
constexpr std::size_t fewest_sizes = 4;  // three leave a parabola no freedom: its minimum would be no finding
constexpr int line_points = 40;

/// The runs that enter, and their budgets with sizes enough.
struct Budgets {
    std::vector<const RunRecord*> runs;
    std::vector<Valley> valleys;

    explicit Budgets(const Report& report) {
        const auto outside = runs_outside(report);
        std::vector<double> n, d, c, loss;
        for (const auto& run : report.input.runs) {
            const RunRecord& r = run.record;
            if (!can_be_fitted(r) || outside.contains(r.id) || !(*r.flops > 0) || !(*r.final_val_loss > 0)) {
                continue;
            }
            if (*r.non_embedding_params <= 0 || *r.tokens <= 0) { continue; }
            runs.push_back(&r);
            n.push_back(quantity(r, "N"));
            d.push_back(quantity(r, "D"));
            c.push_back(*r.flops);
            loss.push_back(*r.final_val_loss);
        }
        for (auto& valley : group_by_budget(n, d, c, loss, same_budget)) {
            if (valley.ln_n.size() >= fewest_sizes) { valleys.push_back(std::move(valley)); }
        }
    }

    /// The budget of a run; nothing where it is of none.
    const Valley* of(const RunRecord& run) const {
        for (const Valley& valley : valleys) {
            // A run of the budget is at most the budget's whole spread away from its mean.
            if (std::abs(std::log(*run.flops / valley.compute)) <= std::log(valley.compute_spread) + 1e-9) {
                return &valley;
            }
        }
        return nullptr;
    }
};

std::string label(double compute) { return fmt::format("{:.2e} FLOPs", compute); }

Json point_rows(const Budgets& budgets) {
    Json rows = Json::array();
    for (const RunRecord* run : budgets.runs) {
        const Valley* valley = budgets.of(*run);
        if (valley == nullptr) { continue; }
        rows.push_back({{"label", label(valley->compute)},
                        {"run", run->id},
                        {"N", quantity(*run, "N")},
                        {"D", quantity(*run, "D")},
                        {"C", quantity(*run, "C")},
                        {"loss", rounded(*run->final_val_loss, 6)}});
    }
    return rows;
}

/// Each fitted parabola between its smallest and its largest size: the one through three of its values.
Json line_rows(const Budgets& budgets) {
    Json rows = Json::array();
    for (const Valley& valley : budgets.valleys) {
        const auto fitted = parabola_loss(valley, Interpolation::parabola);
        const std::size_t at[3] = {0, fitted.size() / 2, fitted.size() - 1};
        const auto value = [&](double ln_n) {
            double sum = 0;
            for (const std::size_t i : at) {
                double term = fitted[i];
                for (const std::size_t k : at) {
                    if (k != i) { term *= (ln_n - valley.ln_n[k]) / (valley.ln_n[i] - valley.ln_n[k]); }
                }
                sum += term;
            }
            return sum;
        };
        const double low = valley.ln_n.front();
        const double high = valley.ln_n.back();
        for (int i = 0; i < line_points; ++i) {
            const double ln_n = low + (high - low) * i / (line_points - 1);
            rows.push_back({{"label", label(valley.compute)},
                            {"N", rounded(std::exp(ln_n), 5)},
                            {"loss", rounded(value(ln_n), 6)}});
        }
    }
    return rows;
}

Json minimum_rows(const Optima& optima) {
    Json rows = Json::array();
    for (const BudgetOptimum& optimum : optima.budgets) {
        if (!optimum.used) { continue; }
        Json row = {{"label", label(optimum.compute)},
                    {"C", rounded(optimum.compute, 6)},
                    {"budget", rounded(6 * optimum.n.value * optimum.d.value, 6)},
                    {"N", rounded(optimum.n.value, 6)},
                    {"D", rounded(optimum.d.value, 6)},
                    {"loss", rounded(optimum.loss.value, 6)}};
        if (std::isfinite(optimum.n.low) && std::isfinite(optimum.n.high)) {
            row["N_low"] = rounded(optimum.n.low, 6);
            row["N_high"] = rounded(optimum.n.high, 6);
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

Chart chart(const Budgets& budgets) {
    Range range;
    std::vector<std::string> labels;
    for (const Valley& valley : budgets.valleys) {
        labels.push_back(label(valley.compute));
        for (const double ln_n : valley.ln_n) { range.include(std::exp(ln_n)); }
    }
    const Json x = log_axis("N", "N, non-embedding parameters", range, AxisNumbers::prefixed);
    const Json y = loss_axis("validation loss, nats per token");
    Json colour = series_colour("label", labels, colour_sequence(labels.size()));
    colour["legend"]["columns"] = 6;
    const auto layer = [&](const char* set, Json mark, Json tips) {
        Json encoding = {{"x", x}, {"y", y}, {"color", colour}};
        if (!tips.is_null()) { encoding["tooltip"] = std::move(tips); }
        return Json{{"data", {{"name", set}}}, {"mark", std::move(mark)}, {"encoding", std::move(encoding)}};
    };
    Json lines = layer("isoflop_lines", {{"type", "line"}, {"strokeWidth", 1.8}}, nullptr);
    Json points = layer("isoflop_points", {{"type", "point"}, {"filled", true}, {"size", 46}, {"cursor", "pointer"}},
                        run_tooltip({{"label", "budget", ""}}));
    Json bars = layer("isoflop_minima", {{"type", "rule"}, {"strokeWidth", 1.6}, {"clip", true}}, nullptr);
    bars["encoding"]["x"]["field"] = "N_low";
    bars["encoding"]["x2"] = {{"field", "N_high"}};
    Json minima =
        layer("isoflop_minima",
              {{"type", "point"}, {"shape", "diamond"}, {"filled", false}, {"size", 150}, {"strokeWidth", 2.2}},
              tooltip({{"label", "least of", ""},
                       {"N", "N", ".4s"},
                       {"N_low", "95% from", ".4s"},
                       {"N_high", "to", ".4s"},
                       {"D", "D", ".4s"},
                       {"loss", "loss", ".4f"}}));
    filter_by_legend("label", points, {&lines, &bars, &minima});
    Json spec = spec_of(360);
    spec["layer"] = {std::move(lines), std::move(points), std::move(bars), std::move(minima)};
    return {"isoflop", spec.dump()};
}

}  // namespace

void add_isoflop(const Report& report, Drawing& drawing) {
    const Budgets budgets{report};
    if (budgets.valleys.empty()) { return; }
    const LossNoise noise = estimate_noise(budgets.valleys, Interpolation::parabola);
    const Optima optima = find_optima(budgets.valleys, Interpolation::parabola, EdgeOptima::leave_out, noise.sigma,
                                      report.options.bootstrap);
    Json minima = minimum_rows(optima);
    std::string caption = fmt::format(
        "Runs of equal compute (neighbours within {:.0f}%), by size, and the parabola in ln N through each budget's "
        "runs. "
        "Diamonds: its least loss, with the 95% interval under a noise of {:.2g} nats per loss ({}).",
        100 * same_budget, noise.sigma, noise.source == "assumed" ? std::string{"assumed"} : "from " + noise.source);
    if (minima.size() < budgets.valleys.size()) {
        caption += fmt::format(
            " {} of {} budgets have no certain minimum within the sizes that were trained, so none is drawn.",
            budgets.valleys.size() - minima.size(), budgets.valleys.size());
    }
    drawing.sets["isoflop_points"] = point_rows(budgets);
    drawing.sets["isoflop_lines"] = line_rows(budgets);
    drawing.sets["isoflop_minima"] = std::move(minima);
    drawing.figures.push_back({"Iso-FLOP valleys", caption, {chart(budgets)}});
}

}  // namespace loglog
