#include <cmath>
#include <nlohmann/json.hpp>

#include "analysis/attention/comparison.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
Json number(const std::optional<double>& value) { return value ? number(*value) : Json(nullptr); }

Json estimate(const Estimate& e) {
    return {{"value", number(e.value)}, {"se", number(e.se)}, {"low", number(e.low)}, {"high", number(e.high)}};
}

Json rate_curves(const std::vector<RateCurve>& curves) {
    Json list = Json::array();
    for (const auto& curve : curves) {
        Json points = Json::array();
        for (const auto& p : curve.points) {
            points.push_back({{"lr", p.lr}, {"loss", number(p.loss)}, {"runs", p.runs}, {"failed", p.failed}});
        }
        list.push_back({{"size", curve.size},
                        {"best", number(curve.best)},
                        {"bracketed", curve.bracketed},
                        {"points", std::move(points)}});
    }
    return list;
}

Json tuning(const Tuning& t) {
    return {{"runs", t.runs},
            {"tokens", number(t.tokens)},
            {"flops", number(t.flops)},
            {"chosen_lr", number(t.chosen)},
            {"search", rate_curves(t.search)},
            {"recheck", rate_curves(t.recheck)},
            {"recheck_excess", number(t.recheck_excess)},
            {"recheck_agrees", t.recheck_excess ? Json(t.recheck_agrees) : Json(nullptr)}};
}

Json size_results(const Comparison& comparison, const VariantResult& variant) {
    Json list = Json::array();
    for (const auto& s : variant.sizes) {
        list.push_back({{"size", comparison.sizes[static_cast<std::size_t>(s.size)].name()},
                        {"runs", s.runs},
                        {"parameters", number(s.parameters)},
                        {"parameter_ratio", number(s.parameter_ratio)},
                        {"tokens", number(s.tokens)},
                        {"flops", number(s.flops)},
                        {"flops_per_token", number(s.flops_per_token)},
                        {"flops_ratio", number(s.flops_ratio)},
                        {"loss", number(s.loss)},
                        {"difference", estimate(s.difference)},
                        {"recall_loss", number(s.recall_loss)},
                        {"recall_difference", estimate(s.recall_difference)},
                        {"seconds", number(s.seconds)},
                        {"tokens_per_second", number(s.tokens_per_second)},
                        {"peak_memory_bytes", number(s.peak_memory_bytes)},
                        {"loss_by_position", s.loss_by_position}});
    }
    return list;
}

Json variants(const Comparison& comparison) {
    Json list = Json::array();
    for (const auto& v : comparison.variants) {
        list.push_back({{"name", v.name},
                        {"kind", v.kind.empty() ? Json(nullptr) : Json(v.kind)},
                        {"control", v.is_control},
                        {"paired_seeds", v.is_paired},
                        {"break_even_context", number(v.break_even_context)},
                        {"sizes", size_results(comparison, v)},
                        {"tuning", tuning(v.tuning)}});
    }
    return list;
}

Json multipliers(const std::vector<Multiplier>& list) {
    Json rows = Json::array();
    for (const auto& m : list) {
        Json row = {{"loss", m.loss}};
        row.update(estimate(m.estimate));
        row["extrapolated"] = m.extrapolated;
        rows.push_back(std::move(row));
    }
    return rows;
}

Json laws(const Comparison& comparison, const AxisResult& axis) {
    Json list = Json::array();
    for (std::size_t v = 0; v < comparison.variants.size(); ++v) {
        const VariantLaw& law = axis.fit.laws[v];
        const double ln_scale = axis.fit.centre + law.level / law.exponent;
        list.push_back({{"variant", comparison.variants[v].name},
                        {"E", number(law.floor)},
                        {"alpha", number(law.exponent)},
                        {"ln_C_scale", number(ln_scale)},
                        {"multipliers", multipliers(axis.multipliers[v])},
                        {"own_alpha", axis.exponents.empty() ? Json(nullptr) : estimate(axis.exponents[v])},
                        {"own_alpha_difference",
                         axis.exponent_differences.empty() ? Json(nullptr) : estimate(axis.exponent_differences[v])}});
    }
    return list;
}

Json warnings(const std::vector<Warning>& list) {
    Json rows = Json::array();
    for (const auto& [code, text] : list) { rows.push_back({{"code", code}, {"text", text}}); }
    return rows;
}

Json exclusions(const std::vector<Exclusion>& list) {
    Json rows = Json::array();
    for (const auto& [id, reason] : list) { rows.push_back({{"id", id}, {"reason", reason}}); }
    return rows;
}

Json axis_json(const Comparison& comparison, const AxisResult& axis) {
    Json root = {{"axis", to_text(axis.axis)}};
    if (!axis.failure.empty()) {
        root["failure"] = axis.failure;
        return root;
    }
    root["model"] = to_text(axis.fit.sharing);
    root["n_points"] = axis.points.size();
    root["degrees_of_freedom"] = number(axis.degrees);
    root["floor"] = estimate(axis.floor);
    root["floor_identified"] = axis.floor_identified;
    root["shared_alpha"] = estimate(axis.shared_exponent);
    root["variants"] = laws(comparison, axis);
    root["models"] = Json::array();
    for (const auto& s : axis.scores) {
        root["models"].push_back({{"model", to_text(s.sharing)},
                                  {"parameters", s.parameters},
                                  {"squares", number(s.squares)},
                                  {"residual_sd", number(s.residual_sd)},
                                  {"log_likelihood", number(s.log_likelihood)},
                                  {"aicc", number(s.aicc)}});
    }
    root["tests"] = Json::array();
    for (const auto& t : axis.tests) {
        root["tests"].push_back({{"question", t.question},
                                 {"null", to_text(t.null)},
                                 {"alternative", to_text(t.alternative)},
                                 {"likelihood_ratio", number(t.statistic)},
                                 {"degrees", t.degrees},
                                 {"p_chi_squared", number(t.p_asymptotic)},
                                 {"F", number(t.f)},
                                 {"p", number(t.p)}});
    }
    root["warnings"] = warnings(axis.warnings);
    return root;
}

Json bench(const std::vector<BenchKind>& kinds) {
    Json list = Json::array();
    for (const auto& kind : kinds) {
        Json points = Json::array();
        for (const auto& p : kind.points) {
            points.push_back({{"time", number(p.time)},
                              {"seconds", number(p.seconds)},
                              {"memory_bytes", number(p.memory_bytes)},
                              {"flops", number(p.flops)}});
        }
        list.push_back({{"kind", kind.kind},
                        {"points", std::move(points)},
                        {"growth_exponent", number(kind.growth_exponent)},
                        {"crossover_with_dense", number(kind.crossover_with_dense)}});
    }
    return list;
}

}  // namespace

std::string to_json(const Comparison& comparison) {
    Json root = {{"by", "attention"}, {"baseline", comparison.variants.front().name}};
    root["runs"] = {{"chosen", comparison.runs}, {"compared", comparison.compared}};
    root["context"] = number(comparison.context);
    root["losses"] = comparison.options.losses;
    root["bootstrap"] = {{"resamples", comparison.options.bootstrap.resamples},
                         {"seed", static_cast<std::uint64_t>(comparison.options.bootstrap.seed)}};
    root["findings"] = findings(comparison);
    root["sizes"] = Json::array();
    for (const auto& s : comparison.sizes) {
        root["sizes"].push_back({{"name", s.name()},
                                 {"layers", s.layers},
                                 {"width", s.width},
                                 {"tokens", number(s.tokens)},
                                 {"parameters", number(s.parameters)}});
    }
    root["variants"] = variants(comparison);
    root["axes"] = Json::array();
    for (const auto& axis : comparison.axes) { root["axes"].push_back(axis_json(comparison, axis)); }
    root["bench"] = comparison.options.bench.empty() ? Json(nullptr) : bench(comparison.options.bench);
    root["failures"] = exclusions(comparison.failures);
    root["repeated"] = exclusions(comparison.repeated);
    root["warnings"] = warnings(comparison.warnings);
    return root.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace loglog
