#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace loglog {

/// The learning rate that a log shows at one step.
struct LoggedRate {
    std::size_t step;
    double rate;
};

/// The learning rate of every step 0 .. last logged one, from a log that may skip steps; steps increase.
///
/// Between two logged steps the rate is a straight line, with two exceptions that keep the shape of usual schedules. A
/// change between two stretches of constant rate is a jump at the later step. Where a constant rate turns into a
/// decline, the decline is extended backwards (in ln rate if that continues it better) to where it meets the constant.
///
/// Before the first logged step the rate rises linearly from 0 at step 0 to the first logged rate at step
/// `warmup_steps` - 1, or at the first logged step where `warmup_steps` is 0.
std::vector<double> rate_steps(std::span<const LoggedRate> log, std::size_t warmup_steps);

/// The first step at which the initial rise has ended: observations before it are not what the laws of a curve are
/// about.
std::size_t end_of_warmup(std::span<const double> rates);

}  // namespace loglog
