#include "engine/optim/schedule.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace loglog {
namespace {

double progress(std::int64_t step, std::int64_t start, std::int64_t length) {
    if (length <= 0) { return 0; }
    return std::clamp(static_cast<double>(step - start) / static_cast<double>(length), 0.0, 1.0);
}

}  // namespace

double learning_rate(const Schedule& schedule, std::int64_t step) {
    if (step < schedule.warmup_steps) {
        return schedule.peak * static_cast<double>(step + 1) / static_cast<double>(schedule.warmup_steps);
    }
    const double floor = schedule.min_ratio * schedule.peak;
    const auto above_floor = [&](double share) { return floor + (schedule.peak - floor) * share; };
    switch (schedule.kind) {
        case ScheduleKind::constant:
            return schedule.peak;
        case ScheduleKind::cosine: {
            const double x = progress(step, schedule.warmup_steps, schedule.total_steps - schedule.warmup_steps);
            return above_floor((1 + std::cos(std::numbers::pi * x)) / 2);
        }
        case ScheduleKind::wsd: {
            const auto start = schedule.total_steps - schedule.cooldown_steps;
            if (step < start) { return schedule.peak; }
            const double x = progress(step, start, schedule.cooldown_steps);
            return above_floor(1 - (schedule.cooldown == Cooldown::linear ? x : std::sqrt(x)));
        }
    }
    return schedule.peak;
}

}  // namespace loglog
