#pragma once

#include "distributed/mpi/communicator.hpp"
#include "sweeps/scheduler/channel.hpp"

namespace loglog {

/// A worker on another rank than the coordinator's, which is rank 0. Waiting sleeps between looks, so that an idle rank
/// leaves its core to others.
class MpiWorkerChannel final : public WorkerChannel {
  public:
    explicit MpiWorkerChannel(const Communicator& world) : world_{&world} {}
    int number() const override { return world_->rank(); }
    void send(const WorkerMessage& message) override;
    std::optional<CoordinatorMessage> receive(std::chrono::milliseconds wait) override;

  private:
    const Communicator* world_;
};

/// Rank 0's lines: to its own worker, number 0, over `own`; to worker r, on rank r, over MPI.
class MpiCoordinatorChannel final : public CoordinatorChannel {
  public:
    MpiCoordinatorChannel(const Communicator& world, CoordinatorChannel& own) : world_{&world}, own_{&own} {}
    int workers() const override { return world_->size(); }
    void send(int worker, const CoordinatorMessage& message) override;
    std::optional<Arrival> receive(std::chrono::milliseconds wait) override;

  private:
    const Communicator* world_;
    CoordinatorChannel* own_;
};

}  // namespace loglog
