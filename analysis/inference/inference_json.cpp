#include <nlohmann/json.hpp>

#include "analysis/inference/inference.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json object(const Estimate& e) {
    return {{"value", number(e.value)}, {"se", number(e.se)}, {"low", number(e.low)}, {"high", number(e.high)}};
}

Json object(const std::vector<NamedEstimate>& estimates) {
    Json result = Json::object();
    for (const auto& [name, estimate] : estimates) { result[name] = object(estimate); }
    return result;
}

/// A prediction's first entry is the budget asked for, which has no error.
Json prediction(const std::vector<NamedEstimate>& estimates) {
    Json result = Json::object();
    for (const auto& named : estimates) {
        result[named.name] = &named == &estimates.front() ? number(named.estimate.value) : object(named.estimate);
    }
    return result;
}

Json object(const HoldOut& h) {
    return {{"variable", h.variable},
            {"values", h.values},
            {"n_points", h.n_points},
            {"mean_error_nats", h.mean_error_nats},
            {"rms_error_nats", h.rms_error_nats},
            {"worst_error_nats", h.worst_error_nats},
            {"rms_relative_error", h.rms_relative_error}};
}

}  // namespace

std::string to_json(const Inference& fit) {
    Json root;
    root["law"] = fit.law->name();
    root["formula"] = fit.law->formula();
    if (fit.points.variables == 1) { root["x"] = fit.variable; }
    const double delta = fit.objective.delta;
    root["objective"] = {{"name", to_string(fit.objective)},
                         {"delta", fit.objective.penalty == Objective::Penalty::huber ? Json(delta) : Json(nullptr)},
                         {"value", number(fit.optimum.best.value)}};
    root["n_points"] = fit.points.size();
    root["starts"] = {{"n", fit.optimum.starts}, {"agreeing", fit.optimum.agreeing}};
    root["gradient_norm"] = number(fit.optimum.best.gradient_norm);
    root["condition"] = number(fit.condition);
    root["bootstrap"] = {{"resamples", fit.resamples.requested}, {"used", fit.resamples.natural.size()}};
    root["parameters"] = object(fit.parameters);
    root["derived"] = object(fit.derived);
    root["predictions"] = Json::array();
    for (const auto& one : fit.predictions) { root["predictions"].push_back(prediction(one)); }
    if (fit.hold_out) { root["hold_out"] = object(*fit.hold_out); }
    root["excluded"] = Json::array();
    for (const auto& [id, reason] : fit.excluded) { root["excluded"].push_back({{"id", id}, {"reason", reason}}); }
    root["warnings"] = Json::array();
    for (const auto& [code, text] : fit.warnings) { root["warnings"].push_back({{"code", code}, {"text", text}}); }
    return root.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace loglog
