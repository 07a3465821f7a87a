#pragma once

#include <memory>
#include <string>
#include <vector>

#include "distributed/collectives/metered_group.hpp"
#include "distributed/collectives/reduction.hpp"
#include "distributed/collectives/reduction_steps.hpp"
#include "distributed/collectives/scratch.hpp"
#include "distributed/collectives/transfers.hpp"
#include "distributed/mpi/communicator.hpp"

namespace loglog {

/// Ranks that exchange messages by MPI. With Reduction::fast the library sums, in whatever order it likes; with
/// Reduction::tree sums are made here from messages between pairs. Largest values pass NaN on, and are the same on
/// every rank, with both.
class MpiGroup final : public MeteredGroup {
  public:
    /// Tags of messages lie below this one.
    static constexpr int tag_limit = Communicator::tag_limit / 2;

    /// `name`, a string literal, stands in messages and in the operation log: "tensor".
    MpiGroup(Communicator comm, Reduction reduction, const char* name, std::shared_ptr<Transfers> transfers);

    double bytes_sent() const noexcept override { return bytes_sent_; }

    int rank() const noexcept override { return comm_.rank(); }
    int size() const noexcept override { return comm_.size(); }
    void all_reduce_sum(std::span<float> x) override;
    void all_reduce_sum(std::span<double> x) override;
    void all_reduce_max(std::span<float> x) override;
    void all_reduce_max(std::span<double> x) override;
    Transfer start_all_reduce_sum(std::span<float> x) override;
    Transfer start_all_reduce_sum(std::span<double> x) override;
    Transfer start_reduce_sum(std::span<float> x, int root) override;
    Transfer start_broadcast(std::span<float> x, int root) override;
    void all_gather(std::span<const float> mine, std::span<float> all) override;
    void all_gather(std::span<const double> mine, std::span<double> all) override;
    void reduce_scatter_sum(std::span<float> all, std::span<float> mine) override;
    void reduce_scatter_sum(std::span<double> all, std::span<double> mine) override;
    Transfer start_send(int to, int tag, std::span<const std::byte> message) override;
    Transfer start_receive(int from, int tag, std::span<std::byte> message) override;
    void wait(Transfer transfer) override { transfers_->wait(transfer); }
    void progress() override { transfers_->progress(); }

  private:
    template <class T>
    void library_sum(std::span<T> x);
    template <class T>
    Transfer start_library_sum(std::span<T> x);
    template <class T, class Combine>
    Transfer start_stepwise(const char* what, std::span<T> x, const std::vector<ReductionStep>& steps);
    template <class T>
    void gather(std::span<const T> mine, std::span<T> all);
    template <class T>
    void reduce_scatter(std::span<T> all, std::span<T> mine);
    Transfer add_requests(const char* what, std::size_t bytes, std::vector<Request> requests);

    Operation::Description describe(const char* what, std::size_t bytes) const noexcept {
        return {what, name_, static_cast<std::int64_t>(bytes)};
    }
    int take_tags(int count) noexcept;
    void count_ring(int passes, std::size_t bytes) noexcept;
    void check_parts(const char* what, std::size_t all, std::size_t part) const;
    void check_message(const char* what, int peer, int tag) const;

    Communicator comm_;
    Reduction reduction_;
    const char* name_;
    std::shared_ptr<Transfers> transfers_;
    std::shared_ptr<ScratchPool> pool_ = std::make_shared<ScratchPool>();
    std::vector<ReductionStep> all_reduce_steps_;
    std::vector<std::vector<ReductionStep>> reduce_steps_;  // by root
    int next_tag_ = tag_limit;
    double bytes_sent_ = 0;
};

/// A group of all ranks of `comm`, whose operations `log` is told of where given; it must outlive the group.
std::unique_ptr<MeteredGroup> make_group(Communicator comm, Reduction reduction, const char* name,
                                         OperationLog* log = nullptr);
/// One of several groups of this rank, which share what is under way.
std::unique_ptr<MeteredGroup> make_group(Communicator comm, Reduction reduction, const char* name,
                                         std::shared_ptr<Transfers> transfers);

}  // namespace loglog
