#include "analysis/inference/json_parts.hpp"

namespace loglog {
namespace {

Json values_of(const std::vector<std::pair<std::string, double>>& named) {
    Json result = Json::object();
    for (const auto& [name, value] : named) { result[name] = json_number(value); }
    return result;
}

void add_numbers(Json& into, const Refit& fit) {
    into["n_points"] = fit.n_points;
    if (!fit.failure.empty()) {
        into["failure"] = fit.failure;
        return;
    }
    into["objective_value"] = json_number(fit.value);
    if (!fit.caveats.empty()) { into["warnings"] = fit.caveats; }
    into["parameters"] = values_of(fit.parameters);
    into["derived"] = values_of(fit.derived);
}

const char* relation(Nesting nesting) {
    switch (nesting) {
        case Nesting::none:
            return "not nested";
        case Nesting::larger:
        case Nesting::extends_at_bound:
            return "contains the fitted law";
        case Nesting::smaller:
        case Nesting::at_bound:
            return "is contained in the fitted law";
    }
    return "not nested";
}

Json law_score(const LawScore& score) {
    Json one{{"law", score.law}, {"fitted", score.is_fitted}, {"parameters", score.parameters}};
    if (!score.is_fitted) { one["relation"] = relation(score.nesting); }
    if (!score.failure.empty()) { one["failure"] = score.failure; }
    if (score.parameters > 0 && score.log_likelihood != 0) {
        one["objective_value"] = json_number(score.value);
        one["log_likelihood"] = json_number(score.log_likelihood);
        one["aicc"] = json_number(score.aicc);
        one["delta_aicc"] = json_number(score.delta_aicc);
    }
    if (score.test) {
        one["likelihood_ratio"] = json_number(score.test->likelihood_ratio);
        one["degrees"] = score.test->degrees;
        one["p"] = json_number(score.test->p);
    }
    return one;
}

Json model_choice(const ModelChoice& choice) {
    Json result;
    result["laws"] = Json::array();
    for (const LawScore& score : choice.laws) { result["laws"].push_back(law_score(score)); }
    result["residual_trend"] = nullptr;
    if (choice.trend) {
        const TrendTest& t = *choice.trend;
        result["residual_trend"] = {{"degrees", t.degrees},
                                    {"residual_degrees", t.left},
                                    {"F", json_number(t.f)},
                                    {"p", json_number(t.p)},
                                    {"share", json_number(t.share)}};
    }
    result["seed_noise"] = nullptr;
    if (choice.noise) {
        const SeedNoise& s = *choice.noise;
        result["seed_noise"] = {{"cells", s.cells},
                                {"degrees", s.degrees},
                                {"sd_nats", json_number(s.sd_nats)},
                                {"sd_relative", json_number(s.sd_relative)},
                                {"residual_sd_nats", json_number(s.residual_sd_nats)},
                                {"residual_sd_relative", json_number(s.residual_sd_relative)},
                                {"F", json_number(s.f)},
                                {"p", json_number(s.p)}};
    }
    return result;
}

Json convention(const ConventionFit& fit) {
    const Convention& c = fit.convention;
    Json one{{"quantity", c.quantity}, {"convention", c.convention}, {"column", c.column}, {"used", c.is_used}};
    if (!c.same_as.empty()) {
        one["same_as"] = c.same_as;
    } else {
        add_numbers(one, fit.fit);
    }
    return one;
}

Json cross_validation(const CrossValidation& validation) {
    Json folds = Json::array();
    for (const Fold& fold : validation.folds) {
        Json one{{"low", fold.low}, {"high", fold.high}, {"n_points", fold.n_points}};
        if (!fold.failure.empty()) {
            one["failure"] = fold.failure;
        } else {
            one["mean_error_nats"] = json_number(fold.mean_error_nats);
            one["rms_error_nats"] = json_number(fold.rms_error_nats);
            one["rms_relative_error"] = json_number(fold.rms_relative_error);
        }
        folds.push_back(std::move(one));
    }
    return {{"variable", validation.variable},
            {"rms_error_nats", json_number(validation.rms_error_nats)},
            {"rms_relative_error", json_number(validation.rms_relative_error)},
            {"folds", std::move(folds)}};
}

void add_sensitivity(Json& root, const Sensitivity& sensitivity) {
    root["sensitivity"] = Json::array();
    for (const Refit& fit : sensitivity.refits) {
        Json one{{"choice", fit.choice}};
        add_numbers(one, fit);
        root["sensitivity"].push_back(std::move(one));
    }
    root["sensitivity_range"] = Json::object();
    for (const ChoiceRange& range : sensitivity.ranges) {
        root["sensitivity_range"][range.name] = {{"low", json_number(range.low)},
                                                 {"high", json_number(range.high)},
                                                 {"low_choice", range.low_choice},
                                                 {"high_choice", range.high_choice}};
    }
}

}  // namespace

Json json_of(const HoldOut& h) {
    Json one{{"variable", h.variable},
             {"values", h.values},
             {"n_points", h.n_points},
             {"mean_error_nats", h.mean_error_nats},
             {"rms_error_nats", h.rms_error_nats},
             {"worst_error_nats", h.worst_error_nats},
             {"rms_relative_error", h.rms_relative_error},
             {"compute_ratio", json_number(h.compute_ratio)}};
    if (h.onset) { one["onset"] = json_of(*h.onset); }
    return one;
}

Json json_of(const Onset& onset) {
    Json candidates = Json::array();
    for (const OnsetCandidate& one : onset.candidates) {
        candidates.push_back({{"left_out", one.left_out}, {"from", one.from}, {"score", json_number(one.score)}});
    }
    return {{"chosen", onset.kind == OnsetRule::Kind::automatic},
            {"variable", onset.variable},
            {"from", onset.from},
            {"left_out", onset.left_out},
            {"candidates", std::move(candidates)}};
}

void add_examination(Json& root, const Inference& inference) {
    root["outliers"] = Json::array();
    for (const Outlier& o : inference.outliers) {
        root["outliers"].push_back({{"id", o.id}, {"residual", json_number(o.residual)}, {"z", json_number(o.z)}});
    }
    const Examination& found = inference.examination;
    if (found.laws) { root["model_choice"] = model_choice(*found.laws); }
    if (!found.conventions.empty()) {
        root["conventions"] = Json::array();
        for (const ConventionFit& fit : found.conventions) { root["conventions"].push_back(convention(fit)); }
    }
    if (found.sensitivity) { add_sensitivity(root, *found.sensitivity); }
    if (found.cross_validation) { root["cross_validation"] = cross_validation(*found.cross_validation); }
}

}  // namespace loglog
