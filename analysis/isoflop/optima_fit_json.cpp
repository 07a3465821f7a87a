#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis/isoflop/optima_fit.hpp"

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

Json object(const Objective& objective, double value) {
    const bool has_delta = objective.penalty == Objective::Penalty::huber;
    return {{"name", to_string(objective)},
            {"delta", has_delta ? Json(objective.delta) : Json(nullptr)},
            {"value", number(value)}};
}

Json budgets(const OptimaFit& fit) {
    Json list = Json::array();
    for (std::size_t b = 0; b < fit.optima.budgets.size(); ++b) {
        const BudgetOptimum& budget = fit.optima.budgets[b];
        Json one{{"C", number(budget.compute)},
                 {"C_spread", number(budget.compute_spread)},
                 {"n_points", budget.n_points},
                 {"N_opt", object(budget.n)},
                 {"ln_N_opt_error", number(budget.ln_n_error)},
                 {"D_opt", object(budget.d)},
                 {"loss_opt", object(budget.loss)},
                 {"curvature", number(budget.curvature)},
                 {"at_edge", budget.at_edge},
                 {"used", budget.used},
                 {"left_out", budget.left_out.empty() ? Json(nullptr) : Json(budget.left_out)}};
        if (fit.surface) { one["bias_N"] = number(fit.surface->bias_n[b]); }
        list.push_back(std::move(one));
    }
    return list;
}

Json object(const SurfaceBias& bias) {
    Json parameters = Json::object();
    for (const auto& [name, value] : bias.parameters) { parameters[name] = number(value); }
    return {{"law", "chinchilla"}, {"parameters", parameters}, {"a", number(bias.a)}, {"bias_a", number(bias.bias_a)}};
}

Json predictions(const OptimaFit& fit) {
    Json list = Json::array();
    for (std::size_t i = 0; i < fit.predictions.size(); ++i) {
        Json one = Json::object();
        for (const auto& [name, estimate] : fit.predictions[i]) {
            one[name] = name == "C" ? number(estimate.value) : object(estimate);
        }
        if (fit.surface) { one["bias_N"] = number(fit.surface->bias_n_predictions[i]); }
        list.push_back(std::move(one));
    }
    return list;
}

}  // namespace

std::string to_json(const OptimaFit& fit) {
    Objective squares;
    squares.penalty = Objective::Penalty::squares;
    Json root;
    root["law"] = fit.law;
    root["formula"] = "N_opt = kN C^a, D_opt = kD C^b";
    root["method"] = fit.method;
    root["objective"] = object(squares, fit.objective_value);
    root["weights"] = to_text(fit.weights);
    root["n_points"] = fit.n_points;
    root["starts"] = {{"n", 1}, {"agreeing", 1}};  // linear least squares has one minimum
    root["noise"] = {{"sigma", number(fit.noise.sigma)}, {"source", fit.noise.source}};
    root["draws"] = fit.draws;
    root["budgets"] = budgets(fit);
    root["scatter"] = number(fit.scatter);
    root["parameters"] = object(fit.parameters);
    root["derived"] = object(fit.derived);
    root["loss_law"] = nullptr;
    if (fit.loss) {
        root["loss_law"] = {{"law", "saturating"},
                            {"formula", "L_opt = E + (Xc/C)^alpha"},
                            {"objective", object(fit.loss->objective, fit.loss->value)},
                            {"parameters", object(fit.loss->parameters)}};
    }
    if (fit.surface) { root["surface"] = object(*fit.surface); }
    root["predictions"] = predictions(fit);
    root["excluded"] = Json::array();
    for (const auto& [id, reason] : fit.excluded) { root["excluded"].push_back({{"id", id}, {"reason", reason}}); }
    root["warnings"] = Json::array();
    for (const auto& [code, text] : fit.warnings) { root["warnings"].push_back({{"code", code}, {"text", text}}); }
    return root.dump(2);
}

}  // namespace loglog
