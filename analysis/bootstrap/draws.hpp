#pragma once

#include <vector>

#include "analysis/bootstrap/noise.hpp"
#include "engine/base/random.hpp"

namespace loglog {

/// What is drawn anew in each resample.
enum class BootstrapKind {
    cases,       ///< whole points, or whole groups of them: nothing is assumed of the noise
    residuals,   ///< the losses: fitted ones plus residuals drawn from all points; the noise is taken as alike
                 ///< everywhere
    parametric,  ///< the losses: fitted ones plus normal noise of the fitted scale
};

/// Parses "cases", "residuals", "parametric". Throws InputError.
BootstrapKind parse_bootstrap_kind(std::string_view text);
const char* to_text(BootstrapKind kind) noexcept;

/// Makes resamples of one fitted set of points. What is drawn depends on the seed and the resample's number alone.
///
/// Case resampling: Efron 1979; of groups: Davison and Hinkley 1997, "Bootstrap Methods and their Application",
/// sec. 3.8 (strategy 1). Residuals: the same, sec. 6.2.3, inflated by sqrt(n / (n - p)) and centred.
class Resampler {
  public:
    /// Throws InputError where losses are to be drawn for grouped points (their noise is not independent), or where
    /// there are no more points than free parameters.
    Resampler(const Law& law, const Points& points, const Objective& objective, const Values& coordinates,
              BootstrapKind kind, Seed seed);

    /// How many points or groups are drawn independently.
    std::size_t units() const noexcept { return members_.size(); }

    /// Overwrites `resampled`, a copy of the points. False: the law cannot be identified from what was drawn.
    bool draw(Points& resampled, int resample) const;

    /// Overwrites `rest` with the points but the `unit`-th or its group. False as above.
    bool leave_out(Points& rest, std::size_t unit) const;

  private:
    void draw_cases(Points& resampled, const Random& random) const;
    bool draw_losses(Points& resampled, const Random& random) const;
    bool identifies(const Points& resampled) const;

    const Points& points_;
    BootstrapKind kind_;
    Seed seed_;
    Objective::Residual residual_;
    std::size_t parameters_;
    std::vector<std::vector<std::size_t>> members_;  ///< [units] the points of each
    Noise noise_;
    std::vector<double> ln_predicted_;  ///< [points]
};

}  // namespace loglog
