#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis/report/attention_section.hpp"
#include "analysis/report/thin.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

constexpr int line_points = 32;

Json point_rows(const Comparison& c) {
    Json rows = Json::array();
    for (const auto& point : c.headline().points) {
        rows.push_back({{"variant", c.variants[static_cast<std::size_t>(point.variant)].name},
                        {"cost", rounded(std::exp(point.ln_cost), 6)},
                        {"loss", rounded(point.loss, 6)}});
    }
    return rows;
}

Json line_rows(const Comparison& c) {
    Json rows = Json::array();
    for (std::size_t v = 0; v < c.variants.size(); ++v) {
        double low = INFINITY, high = -INFINITY;
        for (const auto& point : c.headline().points) {
            if (point.variant != static_cast<int>(v)) { continue; }
            low = std::min(low, point.ln_cost);
            high = std::max(high, point.ln_cost);
        }
        for (int i = 0; i < line_points; ++i) {
            const double x = low + (high - low) * i / (line_points - 1);
            rows.push_back({{"variant", c.variants[v].name},
                            {"cost", rounded(std::exp(x), 6)},
                            {"loss", rounded(c.headline().fit.predict(static_cast<int>(v), x), 6)}});
        }
    }
    return rows;
}

Json multiplier_rows(const Comparison& c) {
    Json rows = Json::array();
    for (std::size_t v = 1; v < c.variants.size(); ++v) {
        for (const auto& m : c.headline().multipliers[v]) {
            if (!std::isfinite(m.estimate.value)) { continue; }
            Json row = {{"variant", c.variants[v].name},
                        {"loss", "at a loss of " + Json(rounded(m.loss, 4)).dump()},
                        {"value", rounded(m.estimate.value, 5)}};
            if (std::isfinite(m.estimate.low) && std::isfinite(m.estimate.high)) {
                row["low"] = rounded(m.estimate.low, 5);
                row["high"] = rounded(m.estimate.high, 5);
            }
            rows.push_back(std::move(row));
        }
    }
    return rows;
}

/// Loss by part of the window at the baseline's largest size, and its difference to the baseline's.
Json position_rows(const Comparison& c) {
    Json rows = Json::array();
    const auto& reference = c.variants.front().sizes.back();
    const std::size_t parts = reference.loss_by_position.size();
    for (const auto& variant : c.variants) {
        const auto& size = variant.sizes.back();
        if (size.size != reference.size || parts < 2 || size.loss_by_position.size() != parts) { continue; }
        for (std::size_t i = 0; i < parts; ++i) {
            const double at = (static_cast<double>(i) + 0.5) / static_cast<double>(parts) * c.context.value_or(1);
            rows.push_back({{"variant", variant.name},
                            {"position", at},
                            {"loss", rounded(size.loss_by_position[i], 6)},
                            {"difference", rounded(size.loss_by_position[i] - reference.loss_by_position[i], 4)}});
        }
    }
    return rows;
}

Json rate_rows(const Comparison& c) {
    Json rows = Json::array();
    for (const auto& variant : c.variants) {
        for (const auto& [curves, round] :
             {std::pair{&variant.tuning.search, "search"}, std::pair{&variant.tuning.recheck, "re-check"}}) {
            for (const auto& curve : *curves) {
                for (const auto& point : curve.points) {
                    if (!point.loss || !(point.lr > 0)) { continue; }
                    rows.push_back({{"variant", variant.name},
                                    {"round", std::string{round} + " at " + curve.size},
                                    {"lr", point.lr},
                                    {"loss", rounded(*point.loss, 6)},
                                    {"best", curve.best && *curve.best == point.lr}});
                }
            }
        }
    }
    return rows;
}

Json speed_rows(const Comparison& c) {
    Json rows = Json::array();
    for (const auto& variant : c.variants) {
        for (const auto& size : variant.sizes) {
            Json row = {{"variant", variant.name}, {"N", size.parameters}};
            if (size.tokens_per_second) { row["tokens_per_second"] = rounded(*size.tokens_per_second, 4); }
            if (size.peak_memory_bytes) { row["memory"] = rounded(*size.peak_memory_bytes / (1 << 20), 4); }
            rows.push_back(std::move(row));
        }
    }
    return rows;
}

}  // namespace

nlohmann::ordered_json attention_datasets(const Comparison& comparison) {
    return {{"attention_points", point_rows(comparison)},
            {"attention_lines", line_rows(comparison)},
            {"attention_multipliers", multiplier_rows(comparison)},
            {"attention_positions", position_rows(comparison)},
            {"attention_rates", rate_rows(comparison)},
            {"attention_speed", speed_rows(comparison)}};
}

}  // namespace loglog
