#pragma once

#include <string>
#include <vector>

#include "analysis/attention/family_fit.hpp"

namespace loglog {

/// How well one family describes the losses, under independent normal errors of one unknown variance.
struct FamilyScore {
    Sharing sharing;
    int parameters = 0;  ///< of the laws; the variance counts besides
    double squares = 0;
    double residual_sd = 0;     ///< sqrt(squares / (points - parameters)); NaN where no degree of freedom is left
    double log_likelihood = 0;  ///< at its maximum
    double aicc = 0;  ///< Akaike's criterion with the small-sample term (Hurvich and Tsai 1989); may be infinite
};

/// Whether what the null shares may be shared.
struct NestedTest {
    std::string question;  ///< "exponents", "floors", "floor"
    Sharing null, alternative;
    double statistic = 0;  ///< likelihood ratio: points ln(squares of the null / squares of the alternative)
    int degrees = 0;
    double p_asymptotic = 1;  ///< of chi-squared; too small for few points
    double f = 0;
    double p = 1;  ///< of F(degrees, points - parameters), exact for laws linear in their parameters; NaN: not testable
};

FamilyScore score(const FamilyFit& fit, std::size_t points);

/// The likelihood-ratio test of two nested fits to the same points.
///
/// Errors that variants share through their seeds count as independent here. That makes the test of differences between
/// variants the more careful one: the shared part inflates the error, not the differences.
NestedTest test_nested(std::string question, const FamilyFit& null, const FamilyFit& alternative, std::size_t points);

}  // namespace loglog
