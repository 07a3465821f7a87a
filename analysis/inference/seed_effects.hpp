#pragma once

#include <cstddef>
#include <limits>

#include "analysis/laws/objective.hpp"

namespace loglog {

/// What is done with rows at the same place (same N and D, or same X).
enum class Repeats {
    each,           ///< every row is a point
    average,        ///< one point of their mean, with their summed weight
    random_effect,  ///< likewise, weighted by what the place's deviation and the seeds' noise leave of it
};

const char* to_text(Repeats repeats) noexcept;

/// The two kinds of noise that repeated rows tell apart: a row is the law + what all rows of its place share (tau) +
/// its own (sigma).
struct SeedEffects {
    Repeats kind = Repeats::average;
    std::size_t groups = 0;                                   ///< places
    std::size_t degrees = 0;                                  ///< rows - places: what sigma rests on
    Objective::Residual residual = Objective::Residual::log;  ///< sigma and tau are of ln loss, or of nats
    double sigma = std::numeric_limits<double>::quiet_NaN();  ///< standard deviation; NaN without repeated rows
    double tau = std::numeric_limits<double>::quiet_NaN();    ///< likewise; of a random effect alone
    bool is_settled = true;                                   ///< the rounds between fit and tau came to an end
};

}  // namespace loglog
