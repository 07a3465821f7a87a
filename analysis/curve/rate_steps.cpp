#include "analysis/curve/rate_steps.hpp"

#include <algorithm>
#include <cmath>

namespace loglog {
namespace {

bool equal(double left, double right) { return std::abs(left - right) <= 1e-9 * std::max(left, right); }

double along(const LoggedRate& from, const LoggedRate& to, double step) {
    const double share = (step - static_cast<double>(from.step)) / static_cast<double>(to.step - from.step);
    return from.rate + share * (to.rate - from.rate);
}

double along_in_logarithm(const LoggedRate& from, const LoggedRate& to, double step) {
    const LoggedRate ln_from{from.step, std::log(from.rate)};
    const LoggedRate ln_to{to.step, std::log(to.rate)};
    return std::exp(along(ln_from, ln_to, step));
}

using Line = double (*)(const LoggedRate&, const LoggedRate&, double);

/// Which of the two lines through the entries `at` and `at` + 1 comes closer to the one after them.
Line continuation(std::span<const LoggedRate> log, std::size_t at) {
    if (at + 2 >= log.size()) { return along; }
    const auto& next = log[at + 2];
    const auto miss = [&](Line line) {
        return std::abs(line(log[at], log[at + 1], static_cast<double>(next.step)) - next.rate);
    };
    return miss(along) <= miss(along_in_logarithm) ? along : along_in_logarithm;
}

/// Fills the steps between the entries `at` and `at` + 1.
void fill(std::span<const LoggedRate> log, std::size_t at, std::vector<double>& rates) {
    const auto& from = log[at];
    const auto& to = log[at + 1];
    const bool flat_before = at > 0 && equal(log[at - 1].rate, from.rate);
    const bool has_next = at + 2 < log.size();
    const bool flat_after = has_next && equal(log[at + 2].rate, to.rate);
    const bool declines = has_next && to.rate < from.rate && log[at + 2].rate < to.rate;
    const Line line = continuation(log, at + 1);
    for (std::size_t step = from.step + 1; step < to.step; ++step) {
        const auto position = static_cast<double>(step);
        if (flat_before && flat_after) {
            rates[step] = from.rate;
        } else if (flat_before && declines) {
            rates[step] = std::min(from.rate, line(to, log[at + 2], position));
        } else {
            rates[step] = along(from, to, position);
        }
    }
}

}  // namespace

std::vector<double> rate_steps(std::span<const LoggedRate> log, std::size_t warmup_steps) {
    std::vector<double> rates(log.back().step + 1);
    const std::size_t first = log.front().step;
    const std::size_t peak = warmup_steps > 0 ? std::min(warmup_steps - 1, first) : first;
    for (std::size_t step = 0; step < first; ++step) {
        const double share = step < peak ? static_cast<double>(step) / static_cast<double>(peak) : 1.0;
        rates[step] = share * log.front().rate;
    }
    for (const auto& [step, rate] : log) { rates[step] = rate; }
    for (std::size_t at = 0; at + 1 < log.size(); ++at) { fill(log, at, rates); }
    return rates;
}

std::size_t end_of_warmup(std::span<const double> rates) {
    std::size_t step = 0;
    while (step + 1 < rates.size() && rates[step + 1] > rates[step]) { ++step; }
    return step;
}

}  // namespace loglog
