#include "analysis/inference/lack_of_fit.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <boost/math/distributions/fisher_f.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "analysis/inference/outliers.hpp"

namespace loglog {
namespace {

constexpr double clip = 2.5;              // robust deviations
constexpr double rounding = 1e-9;         // relative residuals below it are arithmetic
constexpr double independent = 1e-6;      // least diagonal of R, of unit columns, for a column of its own
constexpr double fewest_left = 4;         // degrees of freedom
constexpr double derivative_step = 1e-5;  // central differences: error about step^2

std::vector<std::size_t> weighted(const Points& points) {
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < points.size(); ++i) {
        if (points.weight[i] > 0) { rows.push_back(i); }
    }
    return rows;
}

/// d residual / d coordinate of the free parameters.
Eigen::MatrixXd derivatives(const Law& law, const Points& points, const Objective& objective, const Values& q,
                            const std::vector<std::size_t>& rows) {
    const auto specs = law.parameters();
    std::vector<std::size_t> free;
    for (std::size_t k = 0; k < specs.size(); ++k) {
        if (specs[k].is_free()) { free.push_back(k); }
    }
    Eigen::MatrixXd jacobian(rows.size(), free.size());
    for (std::size_t column = 0; column < free.size(); ++column) {
        const double step = derivative_step * std::max(1.0, std::abs(q[free[column]]));
        Values up = q;
        Values down = q;
        up[free[column]] += step;
        down[free[column]] -= step;
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const auto& x = points.ln_x[rows[i]];
            double slope = (law.log_loss(up, x) - law.log_loss(down, x)) / (2 * step);
            if (objective.residual == Objective::Residual::linear) { slope *= std::exp(law.log_loss(q, x)); }
            jacobian(i, column) = std::isfinite(slope) ? slope : 0;
        }
    }
    return jacobian;
}

/// Squares and products of the centred logarithms; of one variable also cubes.
Eigen::MatrixXd trends(const Points& points, const std::vector<std::size_t>& rows) {
    std::vector<Eigen::VectorXd> x;
    for (std::size_t variable = 0; variable < points.variables; ++variable) {
        Eigen::VectorXd column(rows.size());
        for (std::size_t i = 0; i < rows.size(); ++i) { column[i] = points.ln_x[rows[i]][variable]; }
        const double scale = column.cwiseAbs().maxCoeff();
        x.push_back(scale > 0 ? Eigen::VectorXd{column / scale} : column);
    }
    std::vector<Eigen::VectorXd> columns;
    for (std::size_t j = 0; j < x.size(); ++j) {
        for (std::size_t k = 0; k <= j; ++k) { columns.emplace_back(x[j].cwiseProduct(x[k])); }
    }
    if (x.size() == 1) { columns.emplace_back(x[0].array().cube().matrix()); }
    Eigen::MatrixXd matrix(rows.size(), columns.size());
    for (std::size_t k = 0; k < columns.size(); ++k) { matrix.col(k) = columns[k]; }
    return matrix;
}

struct Regression {
    int rank = 0;
    double squares = 0;  ///< of what is left
};

Regression regress(Eigen::MatrixXd matrix, const Eigen::VectorXd& y) {
    for (Eigen::Index k = 0; k < matrix.cols(); ++k) {
        const double norm = matrix.col(k).norm();
        if (norm > 0) { matrix.col(k) /= norm; }
    }
    Eigen::ColPivHouseholderQR<Eigen::MatrixXd> qr;
    qr.setThreshold(independent);
    qr.compute(matrix);
    return {static_cast<int>(qr.rank()), (y - matrix * qr.solve(y)).squaredNorm()};
}

double upper_tail(double degrees, double left, double f) {
    return cdf(complement(boost::math::fisher_f{degrees, left}, f));
}

}  // namespace

std::optional<TrendTest> test_trend(const Law& law, const Points& points, const Objective& objective,
                                    const Values& coordinates) {
    const auto rows = weighted(points);
    const auto residuals = residuals_of(law, points, objective, coordinates);
    const double deviation = robust_deviation(residuals, points, free_parameters(law));
    if (!(deviation > rounding)) { return std::nullopt; }
    Eigen::VectorXd clipped(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        clipped[i] = std::clamp(residuals[rows[i]], -clip * deviation, clip * deviation);
    }
    const Eigen::MatrixXd own = derivatives(law, points, objective, coordinates, rows);
    const Eigen::MatrixXd added = trends(points, rows);
    Eigen::MatrixXd both(own.rows(), own.cols() + added.cols());
    both << own, added;
    const Regression without = regress(own, clipped);
    const Regression with = regress(both, clipped);

    TrendTest test;
    test.degrees = with.rank - without.rank;
    test.left = static_cast<double>(rows.size()) - with.rank;
    if (test.degrees < 1 || test.left < fewest_left || !(with.squares > 0)) { return std::nullopt; }
    test.f = std::max(0.0, without.squares - with.squares) / test.degrees / (with.squares / test.left);
    test.p = upper_tail(test.degrees, test.left, test.f);
    test.share = std::max(0.0, 1 - with.squares / without.squares);
    return test;
}

std::optional<SeedNoise> seed_noise(const Law& law, const Points& points, const Values& coordinates) {
    std::map<std::array<long long, max_variables>, std::set<double>> cells;  // losses: one run twice counts once
    SeedNoise noise;
    double residuals_nats = 0;
    double residuals_relative = 0;
    double n = 0;
    const auto rows = weighted(points);
    for (const std::size_t i : rows) {
        std::array<long long, max_variables> key{};
        for (std::size_t k = 0; k < points.variables; ++k) { key[k] = std::llround(points.ln_x[i][k] * 1e6); }
        if (!cells[key].insert(points.loss[i]).second) { continue; }
        const double ln_predicted = law.log_loss(coordinates, points.ln_x[i]);
        residuals_nats += std::pow(std::exp(ln_predicted) - points.loss[i], 2);
        residuals_relative += std::pow(ln_predicted - points.ln_loss[i], 2);
        n += 1;
    }
    double squares_nats = 0;
    double squares_relative = 0;
    for (const auto& [key, losses] : cells) {
        if (losses.size() < 2) { continue; }
        ++noise.cells;
        const auto count = static_cast<double>(losses.size());
        noise.degrees += static_cast<int>(losses.size()) - 1;
        double mean = 0;
        double mean_ln = 0;
        for (const double loss : losses) {
            mean += loss / count;
            mean_ln += std::log(loss) / count;
        }
        for (const double loss : losses) {
            squares_nats += std::pow(loss - mean, 2);
            squares_relative += std::pow(std::log(loss) - mean_ln, 2);
        }
    }
    if (noise.degrees == 0) { return std::nullopt; }
    noise.sd_nats = std::sqrt(squares_nats / noise.degrees);
    noise.sd_relative = std::sqrt(squares_relative / noise.degrees);
    const auto parameters = static_cast<double>(free_parameters(law));
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    noise.residual_sd_nats = n > parameters ? std::sqrt(residuals_nats / (n - parameters)) : nan;
    noise.residual_sd_relative = n > parameters ? std::sqrt(residuals_relative / (n - parameters)) : nan;
    const double lack_degrees = static_cast<double>(cells.size()) - parameters;
    noise.f = noise.p = nan;
    if (lack_degrees >= 1) {
        const double lack = std::max(0.0, residuals_relative - squares_relative);
        noise.f = lack / lack_degrees / (squares_relative / noise.degrees);
        noise.p = upper_tail(lack_degrees, noise.degrees, noise.f);
    }
    return noise;
}

}  // namespace loglog
