#pragma once

#include <string>
#include <vector>

#include "analysis/inference/outliers.hpp"
#include "analysis/inference/refit.hpp"

namespace loglog {

/// How far one number moves with the choices.
struct ChoiceRange {
    std::string name;  ///< of a parameter or derived number
    double low = 0;
    double high = 0;
    std::string low_choice;
    std::string high_choice;
};

/// The same question answered under other choices that a careful person might have made.
struct Sensitivity {
    std::vector<Refit> refits;        ///< what was asked for first
    std::vector<ChoiceRange> ranges;  ///< in order of parameters, then derived numbers
};

/// Points in order of a variable, those of one size together: equal values within 1%, and where these are more than 12,
/// 12 neighbourhoods of about equally many points.
std::vector<std::vector<std::size_t>> rungs(const Points& points, std::size_t variable);

/// Refits under other objectives (Huber's threshold from 1e-4 to 1e-1, absolute values, squares, of losses and of their
/// logarithms), and without the smallest size, the largest size and the outliers.
std::vector<Refit> vary_choices(const Law& law, const Points& points, const Objective& objective,
                                const Optimum& optimum, const std::vector<Outlier>& outliers,
                                const std::string& size_name, int threads);

/// The spread of every number over refits that have one.
std::vector<ChoiceRange> ranges_of(const std::vector<Refit>& refits);

}  // namespace loglog
