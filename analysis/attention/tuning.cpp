#include "analysis/attention/tuning.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

namespace loglog {
namespace {

constexpr double seed_noise = 0.003;  // of small runs, relative

RateCurve curve_of(const std::vector<ComparedRun>& runs, const std::vector<std::size_t>& list, std::string size) {
    struct Sum {
        double loss = 0;
        int finished = 0;
        int all = 0;
        int failed = 0;
    };
    std::map<double, Sum> by_rate;
    for (const auto run : list) {
        const RunRecord& r = runs[run].record;
        Sum& sum = by_rate[r.lr.value_or(0)];
        ++sum.all;
        const bool ended = r.state == RunState::ok && r.final_val_loss;
        if (ended && std::isfinite(*r.final_val_loss)) {
            sum.loss += *r.final_val_loss;
            ++sum.finished;
        } else if (ended || r.state == RunState::diverged || r.state == RunState::failed) {
            ++sum.failed;
        }
    }
    RateCurve curve;
    curve.size = std::move(size);
    for (const auto& [lr, sum] : by_rate) {
        RatePoint point{lr, std::nullopt, sum.all, sum.failed};
        if (sum.finished > 0) { point.loss = sum.loss / sum.finished; }
        if (!curve.points.empty()) { curve.largest_step = std::max(curve.largest_step, lr / curve.points.back().lr); }
        curve.points.push_back(point);
    }
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < curve.points.size(); ++i) {
        const auto& loss = curve.points[i].loss;
        if (loss && (!best || *loss < *curve.points[*best].loss)) { best = i; }
    }
    if (!best) { return curve; }
    curve.best = curve.points[*best].lr;
    // A neighbour that diverged is a bracket as good as one of higher loss; one that was not trained yet is none.
    const auto was_tried = [&](std::size_t i) { return curve.points[i].loss || curve.points[i].failed > 0; };
    curve.bracketed = *best > 0 && *best + 1 < curve.points.size() && was_tried(*best - 1) && was_tried(*best + 1);
    return curve;
}

std::vector<RateCurve> curves_of(const std::vector<ComparedRun>& runs, const std::vector<std::size_t>& list) {
    std::map<std::pair<std::int64_t, std::int64_t>, std::vector<std::size_t>> by_size;  // (width, layers)
    for (const auto run : list) {
        const RunRecord& r = runs[run].record;
        by_size[{r.width.value_or(0), r.layers.value_or(0)}].push_back(run);
    }
    std::vector<RateCurve> curves;
    for (const auto& [shape, group] : by_size) {
        curves.push_back(curve_of(runs, group, ComparedSize{shape.second, shape.first, 0, 0}.name()));
    }
    return curves;
}

/// The runs of the re-checks and the compared runs of their sizes and seeds: the chosen rate is not trained twice.
std::vector<std::size_t> with_middles(const std::vector<ComparedRun>& runs, const VariantGroup& variant) {
    using Place = std::tuple<std::optional<std::int64_t>, std::optional<std::int64_t>, std::optional<std::int64_t>>;
    const auto place_of = [&](std::size_t run) {
        const RunRecord& r = runs[run].record;
        return Place{r.layers, r.width, r.seed};
    };
    std::set<Place> places;
    std::set<std::pair<Place, double>> tried;
    for (const auto run : variant.recheck) {
        places.insert(place_of(run));
        tried.insert({place_of(run), runs[run].record.lr.value_or(0)});
    }
    std::vector<std::size_t> list = variant.recheck;
    for (const auto& placed : variant.placed) {
        const Place place = place_of(placed.run);
        if (places.contains(place) && !tried.contains({place, runs[placed.run].record.lr.value_or(0)})) {
            list.push_back(placed.run);
        }
    }
    return list;
}

/// The rates at a larger size confirm the chosen one if it is the best there, up to what a seed changes.
void judge_rechecks(Tuning& tuning) {
    if (!tuning.chosen || tuning.recheck.empty()) { return; }
    for (const auto& curve : tuning.recheck) {
        if (!curve.best) { return; }
        const auto loss_at = [&](double lr) -> std::optional<double> {
            for (const auto& point : curve.points) {
                if (std::abs(std::log(point.lr / lr)) < 1e-6) { return point.loss; }
            }
            return std::nullopt;
        };
        const auto at_chosen = loss_at(*tuning.chosen);
        if (!at_chosen) {
            tuning.recheck_excess.reset();
            return;
        }
        const double excess = *at_chosen / *loss_at(*curve.best) - 1;
        tuning.recheck_excess = std::max(tuning.recheck_excess.value_or(0), excess);
    }
    tuning.recheck_agrees = *tuning.recheck_excess <= seed_noise;
}

}  // namespace

Tuning tuning_of(const std::vector<ComparedRun>& runs, const VariantGroup& variant) {
    Tuning tuning;
    tuning.search = curves_of(runs, variant.search);
    tuning.recheck = curves_of(runs, with_middles(runs, variant));
    for (const auto* list : {&variant.search, &variant.recheck}) {
        for (const auto run : *list) {
            const RunRecord& r = runs[run].record;
            ++tuning.runs;
            tuning.tokens += static_cast<double>(r.tokens.value_or(0));
            tuning.flops += r.flops.value_or(0);
        }
    }
    std::set<double> rates;
    for (const auto& placed : variant.placed) { rates.insert(runs[placed.run].record.lr.value_or(0)); }
    if (rates.size() == 1 && *rates.begin() > 0) { tuning.chosen = *rates.begin(); }
    judge_rechecks(tuning);
    return tuning;
}

}  // namespace loglog
