#include "analysis/inference/json_parts.hpp"

namespace loglog {
namespace {

Json number(double value) { return json_number(value); }

Json object(const Estimate& e) {
    return {{"value", number(e.value)}, {"se", number(e.se)}, {"low", number(e.low)}, {"high", number(e.high)}};
}

Json object(const std::vector<NamedEstimate>& estimates) {
    Json result = Json::object();
    for (const auto& [name, estimate] : estimates) { result[name] = object(estimate); }
    return result;
}

/// What was held rather than fitted says so.
Json parameters_of(const Inference& fit) {
    Json result = object(fit.parameters);
    for (const auto& spec : fit.law->parameters()) {
        auto& entry = result[std::string{spec.name}];
        if (spec.hold.kind == Hold::Kind::fixed) { entry["fixed"] = true; }
        if (spec.hold.kind == Hold::Kind::tied) { entry["tied_to"] = fit.law->parameters()[spec.hold.to].name; }
    }
    return result;
}

/// A prediction's first entries are what was asked for, which has no error.
Json prediction(const std::vector<NamedEstimate>& estimates, std::size_t asked = 1) {
    Json result = Json::object();
    for (std::size_t k = 0; k < estimates.size(); ++k) {
        const auto& [name, estimate] = estimates[k];
        result[name] = k < asked ? number(estimate.value) : object(estimate);
    }
    return result;
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
    root["parameters"] = parameters_of(fit);
    root["derived"] = object(fit.derived);
    add_intervals(root, fit);
    root["predictions"] = Json::array();
    for (const auto& one : fit.predictions) { root["predictions"].push_back(prediction(one)); }
    for (const auto& one : fit.places) { root["at"].push_back(prediction(one, one.size() - 1)); }
    for (const auto& [departure, values] : fit.departures) {
        Json one{{"kind", to_text(departure.kind)}, {"factor", departure.factor}};
        one.update(prediction(values));
        root["departures"].push_back(std::move(one));
    }
    if (fit.onset) { root["onset"] = json_of(*fit.onset); }
    if (fit.hold_out) { root["hold_out"] = json_of(*fit.hold_out); }
    add_examination(root, fit);
    root["excluded"] = Json::array();
    for (const auto& [id, reason] : fit.excluded) { root["excluded"].push_back({{"id", id}, {"reason", reason}}); }
    root["warnings"] = Json::array();
    for (const auto& [code, text] : fit.warnings) { root["warnings"].push_back({{"code", code}, {"text", text}}); }
    return root.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace loglog
