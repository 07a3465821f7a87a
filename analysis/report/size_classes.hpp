#pragma once

#include <string>
#include <vector>

#include "analysis/report/report.hpp"

namespace loglog {

/// Models by size, for colours and legends: a class for every size where there are few, else classes evenly spaced in
/// the logarithm of N (non-embedding).
class SizeClasses {
  public:
    explicit SizeClasses(const Report& report);

    /// "540 k", or "128 k to 540 k"; empty for what has no size.
    std::string label(double parameters) const;
    const std::vector<std::string>& labels() const noexcept { return labels_; }
    /// One a label, from the smallest to the largest.
    std::vector<std::string> colours() const;

  private:
    std::vector<double> upper_;  // the largest size of each class
    std::vector<std::string> labels_;
};

/// `count` colours from violet over blue and green to amber, of middle lightness: they stand out from light and from
/// dark paper, and their order shows under the common forms of colour blindness.
std::vector<std::string> colour_sequence(std::size_t count);

}  // namespace loglog
