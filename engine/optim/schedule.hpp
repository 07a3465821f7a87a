#pragma once

#include <cstdint>

namespace loglog {

enum class ScheduleKind : std::uint8_t { constant, cosine, wsd };
/// How a warm-up-stable-decay schedule ends: linearly, or as 1 - sqrt(x) (Haegele et al. 2024, arXiv:2405.18392).
enum class Cooldown : std::uint8_t { linear, one_minus_sqrt };

/// Learning rate over a run. All kinds start with a linear warm-up.
struct Schedule {
    ScheduleKind kind = ScheduleKind::wsd;
    double peak = 1e-3;
    std::int64_t total_steps = 0;
    std::int64_t warmup_steps = 0;
    std::int64_t cooldown_steps = 0;       ///< wsd: length of the decay that ends at total_steps
    Cooldown cooldown = Cooldown::linear;  ///< wsd
    double min_ratio = 0;                  ///< cosine and wsd end at min_ratio * peak
};

/// Learning rate of the update that follows `step` finished ones, step in [0, total_steps): peak * (step + 1) / warmup
/// while warming up; afterwards
///   cosine:  m + (peak - m) (1 + cos(pi x)) / 2,  x = (step - warmup) / (total - warmup),  m = min_ratio * peak
///   wsd:     m + (peak - m) f(x),  x = (step - (total - cooldown)) / cooldown,  f = 1 - x or 1 - sqrt(x); before: peak
double learning_rate(const Schedule& schedule, std::int64_t step);

}  // namespace loglog
