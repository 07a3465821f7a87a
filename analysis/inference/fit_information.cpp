#include "analysis/inference/fit_information.hpp"

#include <limits>

namespace loglog {

FitInformation fit_information(const Law& law, const Points& points, const Objective& objective,
                               const Values& coordinates) {
    FitInformation information;
    const auto specs = law.parameters();
    for (std::size_t k = 0; k < specs.size(); ++k) {
        const bool inside = coordinates[k] > specs[k].lower && coordinates[k] < specs[k].upper;
        if (specs[k].is_free() && inside) { information.free.push_back(k); }
    }
    const Expansion at = law.expand(coordinates, points, objective, std::numeric_limits<double>::infinity());
    for (const std::size_t row : information.free) {
        auto& entries = information.matrix.emplace_back();
        for (const std::size_t column : information.free) { entries.push_back(at.metric[row][column]); }
    }
    const Noise noise = noise_of(law, points, objective, coordinates);
    if (noise.degrees >= 1 && noise.scale > 0) {
        information.threshold = objective.threshold(noise.scale / 100);
        information.scale = robust_scale(noise, information.threshold);
    }
    return information;
}

}  // namespace loglog
