#include <algorithm>
#include <nlohmann/json.hpp>

#include "analysis/report/figures.hpp"
#include "analysis/report/thin.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_points_a_run = 300;
constexpr std::size_t most_points_a_page = 120'000;  // keeps a page of 1,000 runs well below 8 MB

Json columns(const RunRecord& record, const char* kind, std::span<const double> tokens, std::span<const double> loss,
             std::size_t most) {
    Json x = Json::array();
    Json y = Json::array();
    for (const auto& [at, value] : thin(tokens, loss, most)) {
        if (!(value > 0) || !std::isfinite(value)) { continue; }  // a diverged run's end has no logarithm
        x.push_back(static_cast<std::int64_t>(at));
        y.push_back(rounded(value, 5));
    }
    const double n = static_cast<double>(record.non_embedding_params.value_or(0));
    return {{"run", record.id},
            {"kind", kind},
            {"N", n},
            {"state", to_text(record.state)},
            {"flops_per_token", record.flops_per_token.value_or(0)},
            {"tokens", std::move(x)},
            {"loss", std::move(y)}};
}

}  // namespace

nlohmann::ordered_json curve_columns(const Report& report) {
    const auto& runs = report.input.runs;
    const std::size_t most =
        std::clamp<std::size_t>(most_points_a_page / std::max<std::size_t>(2 * runs.size(), 1), 24, most_points_a_run);
    Json curves = Json::array();
    for (const auto& [record, curve] : runs) {
        // A logarithmic axis has no place for the evaluation before the first step.
        std::vector<double> val_tokens;
        std::vector<double> val_loss;
        for (std::size_t i = 0; i < curve.val_tokens.size(); ++i) {
            if (curve.val_tokens[i] <= 0) { continue; }
            val_tokens.push_back(curve.val_tokens[i]);
            val_loss.push_back(curve.val_loss[i]);
        }
        if (!curve.tokens.empty()) { curves.push_back(columns(record, "train", curve.tokens, curve.train_loss, most)); }
        if (!val_tokens.empty()) { curves.push_back(columns(record, "validation", val_tokens, val_loss, most)); }
    }
    return curves;
}

}  // namespace loglog
