#pragma once

#include <string>
#include <vector>

#include "apps/loglog/data_shelf.hpp"
#include "apps/loglog/verbs.hpp"
#include "sweeps/plan/plan.hpp"

namespace loglog {

struct SweepOptions {
    std::string file;
    std::vector<std::string> overrides;
    std::string registry;
    bool force = false;
    bool json = false;
    bool quiet = false;     ///< neither summary nor warnings: another verb tells what came of it
    int ranks = 0;          ///< that a plan's prediction is for; 0: the cores of this machine
    bool calibrate = true;  ///< measure this machine for the prediction
    std::string cluster;    ///< TOML file of a cluster that a plan's prediction is for; empty: this machine
    double stop_after = 0;  ///< seconds; 0: never
};

/// FLOP/s of a core, where layouts are chosen before anything is measured: the choice hardly depends on it.
inline constexpr double typical_flops = 5e10;

/// Whether a run's data set has to be there.
enum class DataNeed { required, if_present };

/// The sweep's plan, without prediction. Layouts that follow from sweep.rank_memory are chosen for `machine`. Throws
/// InputError when the plan cannot identify an exponent, unless options.force, which turns the reasons into warnings.
/// Learning rates of a sweep of kind attention follow from `loss_of`.
Plan plan_of(const SweepOptions& options, DataShelf& shelf, DataNeed need, const Machine& machine,
             const FindLoss& loss_of);

/// Predicts times from a short calibration on this machine, with `threads` a run.
void predict_here(Plan& plan, int threads, int ranks);

void print_plan(const SweepOptions& options);
void run_sweep(const SweepOptions& options, Program& program);
void print_status(const SweepOptions& options);
void cancel_sweep(const SweepOptions& options);

}  // namespace loglog
