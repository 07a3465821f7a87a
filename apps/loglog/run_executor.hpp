#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "apps/loglog/data_shelf.hpp"
#include "distributed/mpi/communicator.hpp"
#include "experiments/run/trainer.hpp"
#include "sweeps/scheduler/messages.hpp"

namespace loglog {

/// Trains the runs that one rank is given, by itself or together with the other members of an order.
class RunExecutor {
  public:
    /// `threads` for runs whose spec names no number. `world`: the ranks that orders number, null without MPI.
    RunExecutor(std::filesystem::path registry, std::string environment, int threads, const Communicator* world)
        : registry_{std::move(registry)}, environment_{std::move(environment)}, threads_{threads}, world_{world} {}

    /// See ExecuteRun. The leader alone takes the run's lock and looks at its folder, and tells the others whether to
    /// train; a run that is finished already, by another process, is only reported. A member that cannot open the
    /// run's data makes all of them fail, before any of them starts.
    RunReport operator()(const RunOrder& order, const std::function<void(const RunProgress&)>& on_step,
                         const std::atomic<bool>& stop);

  private:
    RunReport lead(const RunOrder& order, const RunContext& context, const Communicator* group);
    RunReport follow(const RunOrder& order, const RunContext& context, const Communicator& group);
    /// What is said of a run that another process trains or has finished; nothing for one to be trained.
    std::optional<RunReport> report_without_training(const RunOrder& order, bool locked) const;
    double peak_flops(int threads);

    std::filesystem::path registry_;
    std::string environment_;
    int threads_;
    const Communicator* world_;
    DataShelf shelf_{OpenCheck::checksums};
    std::map<int, double> peaks_;  // FLOP/s by number of threads, measured once each
};

}  // namespace loglog
