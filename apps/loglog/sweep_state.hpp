#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "db/registry/registry.hpp"
#include "sweeps/plan/plan.hpp"
#include "sweeps/scheduler/messages.hpp"

namespace loglog {

/// What run folders say of a plan's runs.
struct SweepState {
    std::vector<RunOrder> queue;  ///< still to be trained, in starting_order(): new, stopped, killed and failed ones
    int ok = 0;
    int diverged = 0;
};

/// Looks at every run's folder, and brings the registry up to date where a kill left it behind.
SweepState sweep_state(const Plan& plan, Registry& registry);

/// The file whose appearance asks a running sweep to stop.
std::filesystem::path cancel_file(const std::filesystem::path& registry, const std::string& sweep);
void request_cancel(const std::filesystem::path& registry, const std::string& sweep);

}  // namespace loglog
