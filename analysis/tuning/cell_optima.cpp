#include "analysis/tuning/cell_optima.hpp"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace loglog {
namespace {

constexpr std::size_t spare_runs =
    2;  // beyond the parabola's coefficients, so that noise cannot make the minimum alone

/// The values of one hyper-parameter that a cell's runs tried.
struct Tried {
    std::string name;
    std::set<double> values;

    bool is_edge(double value) const { return value == *values.begin() || value == *values.rbegin(); }
    bool contains(double value) const { return value >= *values.begin() && value <= *values.rbegin(); }
};

double value_of(const TuningRun& run, int axis) { return axis == 0 ? run.lr : run.batch; }

/// L = c0 + g^T u + u^T H u / 2, u = ln of the hyper-parameters minus their mean.
struct Parabola {
    Eigen::VectorXd middle, gradient;
    Eigen::MatrixXd hessian;
    double constant = 0;
    bool determined = false;
};

Parabola fit_parabola(std::span<const TuningRun> runs, int axes) {
    const auto rows = static_cast<Eigen::Index>(runs.size());
    Parabola p{Eigen::VectorXd::Zero(axes), Eigen::VectorXd(axes), Eigen::MatrixXd(axes, axes)};
    for (const auto& run : runs) {
        for (int k = 0; k < axes; ++k) { p.middle[k] += std::log(value_of(run, k)) / static_cast<double>(rows); }
    }
    Eigen::MatrixXd design(rows, 1 + axes + axes * (axes + 1) / 2);
    Eigen::VectorXd loss(rows);
    for (Eigen::Index i = 0; i < rows; ++i) {
        const auto& run = runs[static_cast<std::size_t>(i)];
        Eigen::Index column = 0;
        design(i, column++) = 1;
        Eigen::VectorXd u(axes);
        for (int k = 0; k < axes; ++k) { design(i, column++) = u[k] = std::log(value_of(run, k)) - p.middle[k]; }
        for (int j = 0; j < axes; ++j) {
            for (int k = 0; k <= j; ++k) { design(i, column++) = j == k ? u[j] * u[j] / 2 : u[j] * u[k]; }
        }
        loss[i] = run.loss;
    }
    const Eigen::ColPivHouseholderQR<Eigen::MatrixXd> qr{design};
    p.determined = qr.rank() == design.cols();
    const Eigen::VectorXd c = qr.solve(loss);
    p.constant = c[0];
    p.gradient = c.segment(1, axes);
    Eigen::Index column = 1 + axes;
    for (int j = 0; j < axes; ++j) {
        for (int k = 0; k <= j; ++k) { p.hessian(j, k) = p.hessian(k, j) = c[column++]; }
    }
    return p;
}

CellOptimum find_cell_optimum(const std::vector<TuningRun>& cell, const CellOptions& options) {
    CellOptimum optimum;
    optimum.n = cell.front().n;
    optimum.d = cell.front().d;
    optimum.runs = cell.size();
    optimum.best = *std::min_element(cell.begin(), cell.end(),
                                     [](const auto& left, const auto& right) { return left.loss < right.loss; });
    std::vector<TuningRun> low;
    for (const auto& run : cell) {
        if (run.loss <= (1 + options.window) * optimum.best.loss) { low.push_back(run); }
    }
    optimum.used = low.size();
    std::vector<Tried> tried{{"learning rate", {}}, {"batch size", {}}};
    for (const auto& run : cell) {
        for (int k = 0; k < 2; ++k) { tried[k].values.insert(value_of(run, k)); }
    }
    if (tried[1].values.size() == 1) { tried.pop_back(); }
    const int axes = static_cast<int>(tried.size());
    for (int k = 0; k < axes; ++k) {
        if (tried[k].values.size() < 3) {
            optimum.problem =
                fmt::format("{} values of {} tried; at least 3 are wanted", tried[k].values.size(), tried[k].name);
            return optimum;
        }
        optimum.best_at_edge = optimum.best_at_edge || tried[k].is_edge(value_of(optimum.best, k));
    }
    const std::size_t wanted = static_cast<std::size_t>(1 + axes + axes * (axes + 1) / 2) + spare_runs;
    if (low.size() < wanted) {
        optimum.problem = fmt::format("{} runs within {:g}% of the lowest loss; at least {} are wanted", low.size(),
                                      100 * options.window, wanted);
        return optimum;
    }
    const Parabola p = fit_parabola(low, axes);
    const Eigen::LLT<Eigen::MatrixXd> factor{p.hessian};
    if (!p.determined || factor.info() != Eigen::Success) {
        optimum.problem = "the loss near its lowest has no minimum (it is not curved upwards in every direction)";
        return optimum;
    }
    const Eigen::VectorXd step = factor.solve(-p.gradient);
    for (int k = 0; k < axes; ++k) {
        const double value = std::exp(p.middle[k] + step[k]);
        if (!tried[k].contains(value)) {
            optimum.problem =
                fmt::format("the best {}, {:.3g}, lies outside the values tried, {:.3g} to {:.3g}: widen the grid",
                            tried[k].name, value, *tried[k].values.begin(), *tried[k].values.rbegin());
            return optimum;
        }
    }
    optimum.lr = std::exp(p.middle[0] + step[0]);
    if (axes == 2) { optimum.batch = std::exp(p.middle[1] + step[1]); }
    optimum.loss = p.constant + p.gradient.dot(step) / 2;
    return optimum;
}

}  // namespace

std::vector<CellOptimum> find_cell_optima(std::span<const TuningRun> runs, const CellOptions& options) {
    std::map<std::pair<double, double>, std::vector<TuningRun>> cells;
    for (const auto& run : runs) { cells[{run.n, run.d}].push_back(run); }
    std::vector<CellOptimum> optima;
    for (const auto& [place, cell] : cells) { optima.push_back(find_cell_optimum(cell, options)); }
    return optima;
}

}  // namespace loglog
