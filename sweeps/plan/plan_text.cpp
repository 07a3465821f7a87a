#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "sweeps/plan/plan.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

struct Totals {
    std::int64_t tokens = 0;
    double flops = 0;
    double flops_6nd = 0;
    double seconds = 0;
    std::int64_t largest_memory_bytes = 0;
};

Totals totals_of(const Plan& plan) {
    Totals totals;
    for (const PlannedRun& run : plan.runs) {
        totals.tokens += run.spec.train.tokens;
        totals.flops += run.cost.flops(run.spec);
        totals.flops_6nd += run.cost.flops_6nd(run.spec);
        totals.seconds += run.predicted_seconds * static_cast<double>(run.spec.layout.ranks());
        totals.largest_memory_bytes = std::max(totals.largest_memory_bytes, run.cost.memory_bytes);
    }
    return totals;
}

// 1234567 -> "1.23M"
std::string with_prefix(double value) {
    constexpr std::array<std::pair<double, const char*>, 4> prefixes{{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}}};
    for (const auto& [scale, prefix] : prefixes) {
        if (value >= scale) { return fmt::format("{:.3g}{}", value / scale, prefix); }
    }
    return fmt::format("{:.3g}", value);
}

std::string mebibytes(std::int64_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / 0x1p20); }

std::string duration(double seconds) {
    if (seconds <= 0) { return "-"; }
    if (seconds < 100) { return fmt::format("{:.1f} s", seconds); }
    if (seconds < 5'400) { return fmt::format("{:.1f} min", seconds / 60); }
    return fmt::format("{:.1f} h", seconds / 3'600);
}

// dp x tp x pp
std::string layout_text(const PlannedRun& run) {
    const LayoutSpec& layout = run.spec.layout;
    return fmt::format("{}x{}x{}", layout.dp, layout.tp, layout.pp);
}

Json of_prediction(const PlannedRun& run, double LayoutPrediction::*member) {
    return run.prediction ? Json((*run.prediction).*member) : Json{};
}

Json to_object(const PlannedRun& run) {
    const ModelSpec& model = run.spec.model;
    const ParameterCounts& parameters = run.cost.parameters;
    return {{"id", run.id.empty() ? Json{} : Json(run.id)},
            {"family", to_string(model.family)},
            {"attention", attention_name(model.attention)},
            {"layers", model.layers},
            {"width", model.width},
            {"heads", model.heads},
            {"kv_heads", model.kv_heads},
            {"head_dim", model.head_dim},
            {"mlp_width", model.mlp_width},
            {"vocab", model.vocab},
            {"context", model.context},
            {"parameters",
             {{"total", parameters.total},
              {"embedding", parameters.embedding},
              {"head", parameters.head},
              {"non_embedding", parameters.non_embedding()}}},
            {"tokens", run.spec.train.tokens},
            {"batch_tokens", run.spec.train.batch_tokens},
            {"steps", total_steps(run.spec)},
            {"seed", run.spec.train.seed},
            {"lr", run.lr_known ? Json(run.spec.train.optimizer.lr) : Json{}},
            {"name", run.spec.name},
            {"stage", run.stage.empty() ? Json{} : Json(run.stage)},
            {"also_main", run.also_main},
            {"flops_per_token", run.cost.flops_per_token},
            {"flops", run.cost.flops(run.spec)},
            {"flops_6nd", run.cost.flops_6nd(run.spec)},
            {"target", run.target > 0 ? Json(run.target) : Json{}},
            {"memory_bytes", run.cost.memory_bytes},
            {"layout", layout_text(run)},
            {"ranks", run.spec.layout.ranks()},
            {"predicted_seconds", run.predicted_seconds > 0 ? Json(run.predicted_seconds) : Json{}},
            {"step_seconds", of_prediction(run, &LayoutPrediction::step_seconds)},
            {"bubble", of_prediction(run, &LayoutPrediction::bubble)},
            {"bytes_per_rank", of_prediction(run, &LayoutPrediction::bytes_per_rank)},
            {"rank_memory_bytes", of_prediction(run, &LayoutPrediction::memory_bytes)}};
}

// One more column each, for plans in which layouts matter.
bool shows_layouts(const Plan& plan) {
    return std::any_of(plan.runs.begin(), plan.runs.end(),
                       [](const PlannedRun& run) { return run.prediction.has_value() || run.spec.layout.ranks() > 1; });
}

std::string layout_columns(const PlannedRun& run) {
    const auto& prediction = run.prediction;
    return fmt::format(" {:>9} {:>7} {:>9} {:>11}", layout_text(run),
                       prediction ? fmt::format("{:.1f}%", 100 * prediction->bubble) : "-",
                       prediction ? with_prefix(prediction->bytes_per_rank) + "B" : "-",
                       prediction ? mebibytes(static_cast<std::int64_t>(prediction->memory_bytes)) : "-");
}

// Of a sweep of kind attention: what the run is for, and with which learning rate.
std::string stage_columns(const PlannedRun& run) {
    return fmt::format(" {:>10}  {}{}", run.lr_known ? fmt::format("{:.4g}", run.spec.train.optimizer.lr) : "to find",
                       run.spec.name, run.also_main ? " (and main)" : "");
}

// "lr-search: 30 runs, 1.2T FLOPs, 3.1 min of work"
std::string stage_totals(const Plan& plan) {
    std::vector<std::pair<std::string, Plan>> stages;
    for (const PlannedRun& run : plan.runs) {
        if (stages.empty() || stages.back().first != run.stage) { stages.push_back({run.stage, {}}); }
        stages.back().second.runs.push_back(run);
    }
    std::string text;
    for (const auto& [stage, part] : stages) {
        const Totals totals = totals_of(part);
        text += fmt::format("{:<10} {:>4} runs, {:>7} FLOPs", stage, part.runs.size(), with_prefix(totals.flops));
        text += (totals.seconds > 0 ? ", " + duration(totals.seconds) + " of work" : "") + "\n";
    }
    return text;
}

Json to_array(const std::vector<AttentionSearch>& searches) {
    Json array = Json::array();
    for (const auto& [attention, search] : searches) {
        Json rates = Json::array();
        for (const TriedRate& rate : search.rates) {
            const bool diverged = rate.loss && !std::isfinite(*rate.loss);
            rates.push_back({{"lr", rate.lr},
                             {"loss", rate.loss && !diverged ? Json(*rate.loss) : Json{}},
                             {"diverged", diverged}});
        }
        array.push_back({{"attention", attention},
                         {"rates", rates},
                         {"settled", search.settled},
                         {"lr", search.best_lr ? Json(*search.best_lr) : Json{}},
                         {"extensions", search.extensions},
                         {"bracketed", search.bracketed}});
    }
    return array;
}

}  // namespace

std::string to_table(const Plan& plan) {
    const bool layouts = shows_layouts(plan);
    std::string text =
        fmt::format("{:<13} {:>6} {:>6} {:>9} {:>9} {:>9} {:>6} {:>5} {:>9} {:>9} {:>11} {:>9}", "id", "layers",
                    "width", "N non-emb", "N total", "tokens D", "steps", "seed", "FLOPs", "6ND", "memory", "time");
    if (layouts) { text += fmt::format(" {:>9} {:>7} {:>9} {:>11}", "dpxtpxpp", "bubble", "sent/step", "of a rank"); }
    const bool staged = plan.kind == SweepKind::attention;
    if (staged) { text += fmt::format(" {:>10}  {}", "lr", "run"); }
    text += "\n";
    for (const PlannedRun& run : plan.runs) {
        const ParameterCounts& parameters = run.cost.parameters;
        text += fmt::format(
            "{:<13} {:>6} {:>6} {:>9} {:>9} {:>9} {:>6} {:>5} {:>9} {:>9} {:>11} {:>9}", run.id.empty() ? "-" : run.id,
            run.spec.model.layers, run.spec.model.width, with_prefix(static_cast<double>(parameters.non_embedding())),
            with_prefix(static_cast<double>(parameters.total)), with_prefix(static_cast<double>(run.spec.train.tokens)),
            total_steps(run.spec), run.spec.train.seed, with_prefix(run.cost.flops(run.spec)),
            with_prefix(run.cost.flops_6nd(run.spec)), mebibytes(run.cost.memory_bytes),
            duration(run.predicted_seconds));
        if (layouts) { text += layout_columns(run); }
        if (staged) { text += stage_columns(run); }
        text += "\n";
    }
    if (staged) { text += stage_totals(plan); }
    const Totals totals = totals_of(plan);
    text += fmt::format("{} runs, {} tokens, {} FLOPs (6ND: {}), at most {} a rank\n", plan.runs.size(),
                        with_prefix(static_cast<double>(totals.tokens)), with_prefix(totals.flops),
                        with_prefix(totals.flops_6nd), mebibytes(totals.largest_memory_bytes));
    if (totals.seconds > 0) {
        text += fmt::format("predicted: {} of work, {} on {} rank{}{}\n", duration(totals.seconds),
                            duration(packed_seconds(plan, plan.ranks)), plan.ranks, plan.ranks == 1 ? "" : "s",
                            plan.cluster.empty() ? "" : " of " + plan.cluster);
    }
    return text;
}

std::string to_json(const Plan& plan) {
    Json runs = Json::array();
    for (const PlannedRun& run : plan.runs) { runs.push_back(to_object(run)); }
    const Totals totals = totals_of(plan);
    const Json root{
        {"sweep", plan.sweep},
        {"kind", to_string(plan.kind)},
        {"ranks", plan.ranks},
        {"cluster", plan.cluster.empty() ? Json{} : Json(plan.cluster)},
        {"runs", runs},
        {"searches", to_array(plan.searches)},
        {"totals",
         {{"runs", plan.runs.size()},
          {"tokens", totals.tokens},
          {"flops", totals.flops},
          {"flops_6nd", totals.flops_6nd},
          {"memory_bytes", totals.largest_memory_bytes},
          {"predicted_seconds", totals.seconds > 0 ? Json(totals.seconds) : Json{}},
          {"predicted_wall_seconds", totals.seconds > 0 ? Json(packed_seconds(plan, plan.ranks)) : Json{}}}},
        {"notes", plan.notes},
        {"warnings", plan.warnings}};
    return root.dump(2);
}

}  // namespace loglog
