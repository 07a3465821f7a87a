#include <algorithm>
#include <cmath>

#include "analysis/curve/curve_fit.hpp"

namespace loglog {

CurveScore score(const Curve& curve, std::span<const double> predicted) {
    CurveScore score;
    score.name = curve.name;
    score.n_points = curve.losses.size();
    const auto n = static_cast<double>(score.n_points);
    double mean = 0;
    for (const double loss : curve.losses) { mean += loss / n; }
    double squares = 0;
    double spread = 0;
    for (std::size_t i = 0; i < curve.losses.size(); ++i) {
        const double error = predicted[i] - curve.losses[i];
        const double relative = std::abs(error) / curve.losses[i];
        squares += error * error;
        spread += (curve.losses[i] - mean) * (curve.losses[i] - mean);
        score.mae += std::abs(error) / n;
        score.mean_relative += relative / n;
        score.worst_relative = std::max(score.worst_relative, relative);
    }
    score.rmse = std::sqrt(squares / n);
    score.r2 = 1 - squares / spread;
    return score;
}

CurveScore mean_score(std::span<const CurveScore> scores) {
    CurveScore mean;
    mean.name = "mean";
    const auto n = static_cast<double>(scores.size());
    for (const auto& one : scores) {
        mean.n_points += one.n_points;
        mean.r2 += one.r2 / n;
        mean.mae += one.mae / n;
        mean.rmse += one.rmse / n;
        mean.mean_relative += one.mean_relative / n;
        mean.worst_relative += one.worst_relative / n;
    }
    return mean;
}

}  // namespace loglog
