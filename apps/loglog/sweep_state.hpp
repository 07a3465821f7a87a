#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "db/registry/registry.hpp"
#include "sweeps/plan/plan.hpp"
#include "sweeps/scheduler/messages.hpp"

namespace loglog {

/// What run folders say of a plan's runs; runs that wait for a learning rate are left out.
struct SweepState {
    std::vector<RunOrder> queue;  ///< still to be trained, in starting_order(): new, stopped, killed and failed ones
    int ok = 0;
    int diverged = 0;
};

/// What the runs' folders say of how they ended, which decides learning rates: see FindLoss.
FindLoss recorded_losses(const std::filesystem::path& registry);
/// The same of a record.
std::optional<double> loss_of(const RunRecord& record);

RunOrder order_of(const PlannedRun& run, const std::string& sweep);

/// Looks at every run's folder, and brings the registry up to date where a kill left it behind.
SweepState sweep_state(const Plan& plan, Registry& registry);

/// The file whose appearance asks a running sweep to stop.
std::filesystem::path cancel_file(const std::filesystem::path& registry, const std::string& sweep);
void request_cancel(const std::filesystem::path& registry, const std::string& sweep);

}  // namespace loglog
