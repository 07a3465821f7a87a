#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "analysis/laws/objective.hpp"

namespace loglog {

/// A final validation loss of one variant in one row: the row is the (size, seed) pair that all variants share.
struct LossPoint {
    int variant = 0;
    int row = 0;
    double ln_cost = 0;
    double loss = 0;  ///< nats per token
};

/// What the laws L_v(C) = E_v + (C/C_v)^-alpha_v of several variants have in common. Every variant has its own C_v.
struct Sharing {
    enum class Floor { none, shared, own } floor = Floor::shared;
    enum class Exponent { shared, own } exponent = Exponent::shared;

    bool operator==(const Sharing&) const = default;
};

/// "shared floor, shared exponent", "no floor, own exponents", ...
std::string_view to_text(const Sharing& sharing) noexcept;

/// How many numbers a family of `variants` laws has.
int parameter_count(const Sharing& sharing, int variants) noexcept;

/// The law of one variant, written as ln(L - floor) = level - exponent (ln C - centre).
struct VariantLaw {
    double floor = 0;
    double exponent = 0;
    double level = 0;
};

/// A family of laws fitted to all variants at once by least squares.
struct FamilyFit {
    Sharing sharing;
    Objective::Residual residual = Objective::Residual::log;
    double centre = 0;  ///< of ln C
    std::vector<VariantLaw> laws;
    double squares = 0;  ///< sum of squared residuals
    bool converged = false;

    double predict(int variant, double ln_cost) const;
    /// ln of the cost at which the variant's law reaches `loss`; nothing where it lies at or below the floor.
    std::optional<double> ln_cost_of(int variant, double loss) const;
};

/// Fits by Levenberg and Marquardt's method with exact derivatives, the floors kept between zero and just below the
/// least loss they stand under. `start` is where a refit begins (its floors and exponents); without it, several floors
/// are tried. Residuals are ln(predicted) - ln(measured), or predicted - measured.
///
/// Throws InputError if a variant has too few points or all its points have one cost.
FamilyFit fit_family(const std::vector<LossPoint>& points, int variants, const Sharing& sharing,
                     Objective::Residual residual, const FamilyFit* start = nullptr);

}  // namespace loglog
