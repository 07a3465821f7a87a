#pragma once

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "analysis/report/figures.hpp"
#include "analysis/report/size_classes.hpp"

namespace loglog {

/// Figures and the rows they draw, each part of the page adding its own, where there is something to draw.
struct Drawing {
    std::vector<Figure> figures;
    nlohmann::ordered_json sets = nlohmann::ordered_json::object();
};

/// All of a page.
Drawing draw(const Report& report);

/// Loss along the runs, against tokens, steps, compute and time, with the lower envelope.
void add_curves(const Report& report, const SizeClasses& sizes, Drawing& drawing);
/// L(N), L(D), L(C): runs, fits, bands, residuals; and the law of N and D, measured against fitted.
void add_laws(const Report& report, const SizeClasses& sizes, Drawing& drawing);
/// Loss against N at equal compute, with the parabolas' minima.
void add_isoflop(const Report& report, Drawing& drawing);
/// The compute-optimal N and D with bands, and the surface L(N, D).
void add_frontier(const Report& report, const SizeClasses& sizes, Drawing& drawing);
/// Loss against the learning rate, size by size.
void add_learning_rates(const Report& report, const SizeClasses& sizes, Drawing& drawing);
/// Accuracy against the size of the state that a sequence leaves.
void add_probes(const Report& report, Drawing& drawing);
/// When the runs had which ranks.
void add_timeline(const Report& report, const SizeClasses& sizes, Drawing& drawing);

/// Runs that the page's fits do not see, whatever they are of.
std::set<std::string> runs_outside(const Report& report);

}  // namespace loglog
