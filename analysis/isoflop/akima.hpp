#pragma once

#include <vector>

namespace loglog {

/// Akima's interpolation (H. Akima 1970, J. ACM 17, 589): a cubic between neighbouring points whose slopes come from
/// the five points around each, so that one point off the curve bends it only nearby. Boost.Math has the modified
/// weights ("makima") alone, which give other minima; published iso-FLOP optima were found with the original.
class Akima {
  public:
    /// `x` strictly ascending, at least two; `y` as long. Throws Error otherwise.
    Akima(std::vector<double> x, std::vector<double> y);

    /// Outside the points the first or last cubic is continued.
    double operator()(double at) const;

  private:
    std::vector<double> x_;
    std::vector<double> y_;
    std::vector<double> slope_;
};

}  // namespace loglog
