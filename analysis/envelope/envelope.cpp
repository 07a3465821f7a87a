#include "analysis/envelope/envelope.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "analysis/fit/parallel.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t fewest_sizes = 3;

/// What the runs' smoothed losses are at every place: read once, used by every resample.
struct Readings {
    std::vector<double> ln_c;                                            ///< [places]
    std::vector<double> ln_n;                                            ///< [runs]
    std::vector<std::vector<std::optional<SmoothCurve::Reading>>> runs;  ///< [runs][places]
};

Readings read(std::span<const TrainingCurve> curves, const EnvelopeQuestion& question) {
    Readings readings;
    std::vector<SmoothCurve> smooth;
    double first = std::numeric_limits<double>::infinity();
    double last = -first;
    for (const TrainingCurve& curve : curves) {
        readings.ln_n.push_back(std::log(curve.n));
        smooth.emplace_back(curve, question.smoothing);
        first = std::min(first, smooth.back().first());
        last = std::max(last, smooth.back().last());
    }
    for (std::size_t place = 0; place < question.bins; ++place) {
        const double share = (static_cast<double>(place) + 0.5) / static_cast<double>(question.bins);
        readings.ln_c.push_back(first + share * (last - first));
    }
    for (const SmoothCurve& curve : smooth) {
        auto& run = readings.runs.emplace_back();
        for (const double ln_c : readings.ln_c) { run.push_back(curve.at(ln_c)); }
    }
    return readings;
}

struct Best {
    DrawnOptimum optimum{nan, nan, nan};
    std::size_t runs = 0;  ///< that were trained so far
    bool at_edge = true;   ///< no smaller or no larger model was
};

/// The lowest loss at a place among the runs whose number is in `chosen`.
Best best_at(const Readings& readings, std::size_t place, std::span<const std::size_t> chosen) {
    Best best;
    double smallest = std::numeric_limits<double>::infinity();
    double largest = -smallest;
    for (const std::size_t run : chosen) {
        const auto& reading = readings.runs[run][place];
        if (!reading) { continue; }
        ++best.runs;
        smallest = std::min(smallest, readings.ln_n[run]);
        largest = std::max(largest, readings.ln_n[run]);
        if (!(reading->ln_loss >= best.optimum.ln_loss)) {  // also where there is none yet
            best.optimum = {readings.ln_n[run], reading->ln_d, reading->ln_loss};
        }
    }
    best.at_edge = !(smallest < best.optimum.ln_n && best.optimum.ln_n < largest);
    return best;
}

std::vector<std::size_t> draw_runs(std::size_t runs, Seed seed, int resample) {
    const Random random{seed, Stream::resampling, static_cast<std::uint64_t>(resample)};
    std::set<std::size_t> drawn;  // a run drawn twice is the envelope's once
    for (std::size_t i = 0; i < runs; ++i) { drawn.insert(random.below(i, runs)); }
    return {drawn.begin(), drawn.end()};
}

void set_intervals(Optima& optima) {
    for (std::size_t b = 0; b < optima.budgets.size(); ++b) {
        const auto summary = [&](Estimate& e, double DrawnOptimum::*member) {
            std::vector<double> samples;
            for (const auto& draw : optima.draws) { samples.push_back(std::exp(draw[b].*member)); }
            e = summarise(e.value, std::move(samples));
        };
        summary(optima.budgets[b].n, &DrawnOptimum::ln_n);
        summary(optima.budgets[b].d, &DrawnOptimum::ln_d);
        summary(optima.budgets[b].loss, &DrawnOptimum::ln_loss);
    }
}

std::size_t require_sizes(std::span<const TrainingCurve> curves) {
    std::set<double> sizes;
    for (const TrainingCurve& curve : curves) { sizes.insert(curve.n); }
    if (sizes.size() < fewest_sizes) {
        throw InputError{
            fmt::format("envelope: {} runs of {} sizes; at least {} sizes are wanted, or no size has both a "
                        "smaller and a larger one beside it",
                        curves.size(), sizes.size(), fewest_sizes)};
    }
    return sizes.size();
}

/// How many of the sizes trained are the best one somewhere.
std::size_t sizes_of(const Optima& optima) {
    std::set<double> sizes;
    for (const BudgetOptimum& optimum : optima.budgets) { sizes.insert(optimum.n.value); }
    return sizes.size();
}

}  // namespace

OptimaFit fit_envelope(std::span<const TrainingCurve> curves, EnvelopeQuestion question) {
    const std::size_t sizes = require_sizes(curves);
    const InferenceOptions& options = question.inference;
    const Readings readings = read(curves, question);
    std::vector<std::size_t> all(curves.size());
    for (std::size_t run = 0; run < all.size(); ++run) { all[run] = run; }

    OptimaFit fit;
    fit.law = "envelope";
    fit.method = fmt::format(
        "lowest loss of {} runs of {} sizes at {} computes, smoothed over {:g} in ln C; whole runs "
        "resampled",
        curves.size(), sizes, question.bins, question.smoothing);
    fit.noise = {nan, "runs"};
    std::vector<std::size_t> places;
    for (const TrainingCurve& curve : curves) { fit.n_points += curve.loss.size(); }
    for (std::size_t place = 0; place < readings.ln_c.size(); ++place) {
        const Best best = best_at(readings, place, all);
        if (best.at_edge) { continue; }
        BudgetOptimum optimum;
        optimum.compute = std::exp(readings.ln_c[place]);
        optimum.n_points = best.runs;
        optimum.n = {std::exp(best.optimum.ln_n), nan, nan, nan};
        optimum.d = {std::exp(best.optimum.ln_d), nan, nan, nan};
        optimum.loss = {std::exp(best.optimum.ln_loss), nan, nan, nan};
        optimum.used = true;
        fit.optima.budgets.push_back(std::move(optimum));
        places.push_back(place);
    }
    const std::size_t left_out = readings.ln_c.size() - places.size();
    if (left_out > 0) {
        fit.warnings.push_back(
            {"optimum_at_edge",
             fmt::format("{} of {} computes are not used: the best size there is the smallest or the "
                         "largest that was trained so far",
                         left_out, readings.ln_c.size())});
    }
    const std::size_t steps = sizes_of(fit.optima);
    if (!places.empty() && steps < fewest_sizes) {
        fit.warnings.push_back(
            {"few_sizes_on_envelope",
             fmt::format(
                 "the lowest losses fall on {} {} only: {}; more sizes between the smallest and the largest, or "
                 "a wider range of computes, are wanted",
                 steps, steps == 1 ? "size" : "sizes",
                 steps == 1 ? "N does not move, so a is 0 whatever the truth is"
                            : "N moves in a single step, so its place alone decides a")});
    }
    if (sizes == curves.size()) {
        fit.warnings.push_back({"one_length_per_size",
                                "every size was trained once: before its learning rate has decayed a run's loss is "
                                "higher than that of a shorter run, so the envelope may favour small models; runs of "
                                "several lengths a size are wanted"});
    }
    fit.optima.draws.resize(static_cast<std::size_t>(std::max(options.bootstrap.resamples, 0)));
    parallel_for(static_cast<int>(fit.optima.draws.size()), options.bootstrap.threads, [&](int i) {
        const auto chosen = draw_runs(curves.size(), options.bootstrap.seed, i);
        auto& draw = fit.optima.draws[static_cast<std::size_t>(i)];
        for (const std::size_t place : places) {
            const Best best = best_at(readings, place, chosen);
            draw.push_back(best.at_edge ? DrawnOptimum{nan, nan, nan} : best.optimum);
        }
    });
    set_intervals(fit.optima);
    fit_optima(fit, options);
    return fit;
}

}  // namespace loglog
