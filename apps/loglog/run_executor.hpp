#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "apps/loglog/data_shelf.hpp"
#include "sweeps/scheduler/messages.hpp"

namespace loglog {

/// Trains the runs that one rank is given, each under its lock.
class RunExecutor {
  public:
    /// `threads` for runs whose spec names no number.
    RunExecutor(std::filesystem::path registry, std::string environment, int threads)
        : registry_{std::move(registry)}, environment_{std::move(environment)}, threads_{threads} {}

    /// See ExecuteRun. A run that is finished already, by another process, is only reported.
    RunReport operator()(const RunOrder& order, const std::function<void(const RunProgress&)>& on_step,
                         const std::atomic<bool>& stop);

  private:
    double peak_flops(int threads);

    std::filesystem::path registry_;
    std::string environment_;
    int threads_;
    DataShelf shelf_{OpenCheck::checksums};
    std::map<int, double> peaks_;  // FLOP/s by number of threads, measured once each
};

}  // namespace loglog
