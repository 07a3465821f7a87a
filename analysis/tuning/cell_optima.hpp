#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace loglog {

/// A finished run of a search over learning rate and batch size.
struct TuningRun {
    double n = 0;
    double d = 0;
    double lr = 0;
    double batch = 0;  ///< in whatever unit the table has; 0 where batch size was not varied
    double loss = 0;
};

/// The best learning rate and batch size of one (N, D) cell.
struct CellOptimum {
    double n = 0;
    double d = 0;
    std::size_t runs = 0;
    std::size_t used = 0;  ///< runs near enough to the lowest loss to enter the parabola
    TuningRun best;        ///< the run of lowest loss
    std::optional<double> lr;
    std::optional<double> batch;
    std::optional<double> loss;  ///< at the optimum
    bool best_at_edge = false;   ///< the best run has the smallest or largest value tried, of either
    std::string problem;         ///< why there is no optimum, or nothing
};

struct CellOptions {
    double window = 0.01;  ///< runs with a loss up to (1 + window) times the cell's lowest enter
};

/// The minimum of a quadratic of ln lr and ln batch fitted by least squares to each cell's runs of low loss; of ln lr
/// alone in cells that hold one batch size. The optimum must lie within the values tried: one outside them is only a
/// bound, and the cell then has a problem instead of an optimum. Cells are in order of N, then D.
std::vector<CellOptimum> find_cell_optima(std::span<const TuningRun> runs, const CellOptions& options);

}  // namespace loglog
