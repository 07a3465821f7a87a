#include "analysis/inference/json_parts.hpp"

namespace loglog {
namespace {

Json object(const Covariances& table) {
    if (table.empty()) { return nullptr; }
    Json rows = Json::array();
    for (const auto& row : table) {
        Json entries = Json::array();
        for (const double value : row) { entries.push_back(json_number(value)); }
        rows.push_back(std::move(entries));
    }
    return rows;
}

Json object(const ProfileInterval& interval) {
    Json result{{"low", json_number(interval.low)}, {"high", json_number(interval.high)}};
    if (interval.open != OpenSide::none) { result["open"] = to_text(interval.open); }
    return result;
}

Json object(const SeedEffects& seeds) {
    return {
        {"kind", to_text(seeds.kind)},       {"groups", seeds.groups},
        {"degrees", seeds.degrees},          {"of", seeds.residual == Objective::Residual::log ? "ln loss" : "loss"},
        {"sigma", json_number(seeds.sigma)}, {"tau", json_number(seeds.tau)}};
}

}  // namespace

void add_intervals(Json& root, const Inference& fit) {
    root["bootstrap"]["kind"] = to_text(fit.resamples.kind);
    root["bootstrap"]["interval"] = to_text(fit.resamples.interval);
    root["bootstrap"]["level"] = fit.resamples.level;
    root["bootstrap"]["units"] = fit.resamples.units;
    root["bootstrap"]["grouped"] = !fit.points.group.empty();
    if (fit.seeds) { root["seeds"] = object(*fit.seeds); }
    for (const auto& interval : fit.profiles.intervals) {
        root["parameters"][interval.name]["profile"] = object(interval);
    }
    root["correlation"] = {{"names", fit.covariance.names},
                           {"asymptotic", object(correlation(fit.covariance.asymptotic))},
                           {"bootstrap", object(correlation(fit.covariance.bootstrap))}};
    root["covariance"] = {{"names", fit.covariance.names},
                          {"asymptotic", object(fit.covariance.asymptotic)},
                          {"bootstrap", object(fit.covariance.bootstrap)}};
}

}  // namespace loglog
