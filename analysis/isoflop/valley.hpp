#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace loglog {

/// How a budget's lowest loss is found between the sizes that were trained.
enum class Interpolation {
    parabola,      ///< loss as a parabola of ln N, by least squares (Hoffmann et al. 2022, sec. 3.2)
    parabola_log,  ///< ln loss as a parabola of ln N
    akima,         ///< ln loss through every point by Akima's cubics of ln N (Porian et al. 2024, arXiv:2406.19146)
};

/// Parses "parabola", "parabola-log", "akima". Throws InputError.
Interpolation parse_interpolation(std::string_view text);
const char* to_text(Interpolation interpolation) noexcept;

/// The runs of one compute budget, by size; runs of equal size are seeds and enter as their mean.
struct Valley {
    double compute = 0;         ///< FLOPs; geometric mean of the runs
    double compute_spread = 1;  ///< largest over smallest
    std::size_t n_points = 0;   ///< runs
    std::vector<double> ln_n;   ///< [sizes] ascending
    std::vector<double> ln_nd;  ///< [sizes] ln(N D)
    std::vector<double> loss;   ///< [sizes] nats per token, mean over seeds
    std::vector<double> seeds;  ///< [sizes] runs behind each mean
    double seed_squares = 0;    ///< sum over runs of the squared difference to their size's mean loss
    double seed_freedoms = 0;   ///< runs - sizes
};

/// Groups runs by compute: neighbours in order of C belong to one budget while they differ by at most a share of
/// `tolerance`. All spans have one entry a run, positive.
std::vector<Valley> group_by_budget(std::span<const double> n, std::span<const double> d, std::span<const double> c,
                                    std::span<const double> loss, double tolerance);

/// The `count` neighbouring sizes around the one of lowest loss (as many on either side as there are); all for 0.
Valley central_part(const Valley& valley, std::size_t count);

/// What becomes of a parabola's minimum outside the sizes that were trained.
enum class EdgeOptima {
    leave_out,
    keep,  ///< as an extrapolation
};

/// The lowest point of a valley.
struct ValleyMinimum {
    double ln_n = 0;  ///< NaN where there is none; of parabolas also outside the sizes
    double ln_loss = 0;
    double curvature = 0;  ///< second derivative of the loss by ln N there, nats
    std::string failure;   ///< why there is no minimum inside the sizes; empty where there is
    bool at_edge = false;  ///< the failure: the losses still fall at the smallest or the largest size

    bool usable(EdgeOptima edge) const noexcept;
};

/// Minimum of the valley with `loss` in place of its own. Fewer than 3 sizes give a failure.
ValleyMinimum minimum(const Valley& valley, std::span<const double> loss, Interpolation interpolation);

/// The parabola's values at the valley's sizes, in nats: what residuals are measured from.
std::vector<double> parabola_loss(const Valley& valley, Interpolation interpolation);

/// ln(N D) of the budget at a size, linear in ln N between the sizes trained and constant outside them.
double ln_nd_at(const Valley& valley, double ln_n);

/// Spacing of the grid on which Akima's minimum is looked for, in ln N.
double search_step(const Valley& valley);

/// Points of that grid for each gap between sizes, as Porian et al. chose it.
inline constexpr std::size_t search_points_per_gap = 25;

}  // namespace loglog
