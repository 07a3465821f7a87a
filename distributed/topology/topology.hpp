#pragma once

#include <memory>

#include "distributed/collectives/metered_group.hpp"
#include "distributed/collectives/operation_log.hpp"
#include "distributed/collectives/reduction.hpp"
#include "distributed/mpi/communicator.hpp"
#include "distributed/topology/layout.hpp"
#include "engine/parallel/group.hpp"

namespace loglog {

/// The groups that a rank of a run belongs to. Owns their communicators.
class Topology {
  public:
    /// A run of one process, without MPI. Sums over micro-batches follow `reduction` there too.
    explicit Topology(Reduction reduction = Reduction::fast);
    /// Collective over `run`, whose ranks number layout.ranks(). `log` is told of every operation, where given; it must
    /// outlive the topology.
    Topology(const Communicator& run, const Layout& layout, Reduction reduction, OperationLog* log = nullptr);
    Topology(Topology&&) noexcept = default;
    ~Topology();

    const Layout& layout() const noexcept { return layout_; }
    const Place& place() const noexcept { return place_; }
    Reduction reduction() const noexcept { return reduction_; }
    bool is_alone() const noexcept { return layout_.ranks() == 1; }
    bool first_stage() const noexcept { return place_.pp == 0; }
    bool last_stage() const noexcept { return place_.pp == layout_.pp - 1; }

    Group& everyone() const noexcept { return *everyone_; }  ///< all ranks of the run, in rank order
    Group& tensor() const noexcept { return *tensor_; }      ///< same dp and pp, by tp
    Group& data() const noexcept { return *data_; }          ///< same tp and pp, by dp
    Group& pipeline() const noexcept { return *pipeline_; }  ///< same dp and tp, by pp
    /// First and last stage of this rank's pipeline, in this order; a single rank on stages in between, or when there
    /// is one stage.
    Group& ends() const noexcept { return *ends_; }

    /// The run's communicator, null without MPI.
    const Communicator* communicator() const noexcept { return run_.get(); }
    /// Sent by this rank over all groups so far.
    double bytes_sent() const noexcept;

  private:
    Layout layout_;
    Place place_;
    Reduction reduction_ = Reduction::fast;
    std::unique_ptr<Communicator> run_;
    std::unique_ptr<MeteredGroup> everyone_;
    std::unique_ptr<MeteredGroup> tensor_;
    std::unique_ptr<MeteredGroup> data_;
    std::unique_ptr<MeteredGroup> pipeline_;
    std::unique_ptr<MeteredGroup> ends_;
};

}  // namespace loglog
