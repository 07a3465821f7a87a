#include "experiments/run/calibration.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "engine/base/random.hpp"
#include "experiments/run/run_data.hpp"
#include "experiments/run/training_session.hpp"

namespace loglog {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// The spec with a batch of no more than `flops`, in whole micro-batches; nothing smaller than one.
RunSpec shortened(const RunSpec& spec, const RunCost& cost, double flops) {
    const double micro_batch_flops = cost.flops_per_token * static_cast<double>(cost.micro_batch * spec.model.context);
    const std::int64_t micro_batch_tokens = cost.micro_batch * spec.model.context;
    const std::int64_t fitting = std::max<std::int64_t>(1, static_cast<std::int64_t>(flops / micro_batch_flops));
    RunSpec short_spec = spec;
    short_spec.train.micro_batch = cost.micro_batch;
    short_spec.train.batch_tokens = std::max(
        micro_batch_tokens, std::min(spec.train.batch_tokens / micro_batch_tokens, fitting) * micro_batch_tokens);
    short_spec.train.tokens = 10 * short_spec.train.batch_tokens;
    return short_spec;
}

// Tokens at random, or where not all are trained on, the run's own.
WindowSource windows_for(const RunSpec& spec) {
    if (spec.data.is_probe()) { return training_windows(open_data(spec.data), spec); }
    const Random random{Seed{1}, Stream::synthetic_data};
    const auto vocab = static_cast<std::uint64_t>(spec.model.vocab);
    return WindowSource{[random, vocab](std::uint64_t position, std::span<std::int32_t> window) {
               for (std::size_t i = 0; i < window.size(); ++i) {
                   window[i] = static_cast<std::int32_t>(random.below(position * window.size() + i, vocab));
               }
           }}
        .with_end_of_document(0);
}

// FLOP/s of the better of two steps; the first step of a session, which allocates, is not counted.
double measure(const RunSpec& spec, const RunCost& cost, int threads) {
    TrainingSession session{spec, windows_for(spec), threads};
    session.step();
    double best = 0;
    for (int repetition = 0; repetition < 2; ++repetition) {
        const auto start = Clock::now();
        session.step();
        best =
            std::max(best, cost.flops_per_token * static_cast<double>(spec.train.batch_tokens) / seconds_since(start));
    }
    return best;
}

// 0, n-1, then the middles of ever smaller intervals: any prefix covers the range.
std::vector<std::size_t> covering_order(std::size_t count) {
    std::vector<std::size_t> order;
    for (std::size_t parts = 1; order.size() < count; parts *= 2) {
        for (std::size_t i = 0; i <= parts; ++i) {
            const std::size_t position = i * (count - 1) / parts;
            if (std::find(order.begin(), order.end(), position) == order.end()) { order.push_back(position); }
        }
    }
    return order;
}

}  // namespace

Calibration::Calibration(std::span<const CostedSpec> runs, int threads, double seconds) {
    constexpr double slowest_machine = 1e10;  // FLOP/s: bounds how long a step can take before it is tried
    std::map<double, const CostedSpec*> models;
    for (const CostedSpec& run : runs) { models.try_emplace(run.cost.flops_per_token, &run); }
    std::vector<const CostedSpec*> by_size;
    for (const auto& [flops, model] : models) { by_size.push_back(model); }

    const auto start = Clock::now();
    for (const std::size_t i : by_size.empty() ? std::vector<std::size_t>{} : covering_order(by_size.size())) {
        if (seconds_since(start) > seconds) { break; }
        const auto& [spec, cost] = *by_size[i];
        const RunSpec short_spec = shortened(spec, cost, 0.02 * seconds * slowest_machine);
        if (cost.flops_per_token * static_cast<double>(short_spec.train.batch_tokens) > seconds * slowest_machine) {
            continue;
        }
        points_.emplace_back(std::log(cost.flops_per_token), measure(short_spec, cost, threads));
    }
    std::sort(points_.begin(), points_.end());
}

double Calibration::flops_per_second(const RunCost& cost) const {
    if (points_.empty()) { return 0; }
    const double x = std::log(cost.flops_per_token);
    const auto above = std::lower_bound(points_.begin(), points_.end(), std::pair{x, 0.0});
    if (above == points_.begin()) { return points_.front().second; }
    if (above == points_.end()) { return points_.back().second; }
    const auto& [x1, y1] = *above;
    const auto& [x0, y0] = *std::prev(above);
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0);
}

}  // namespace loglog
