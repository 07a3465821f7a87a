#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace loglog {

/// A message under way, to be waited for.
enum class Transfer : std::int64_t {};

/// Ranks that work on one model together, and the collectives and messages between them, over memory of the device that
/// computes. This is the one interface of all communication back ends: a single rank, a counting one that moves
/// nothing, MPI, and later NCCL.
///
/// Every member calls the same collectives in the same order with the same sizes. Sums give every member the same bits;
/// the order of summation is the implementation's (any, or a fixed tree). Failures are thrown.
class Group {
  public:
    virtual ~Group() = default;

    virtual int rank() const noexcept = 0;
    virtual int size() const noexcept = 0;

    /// x becomes the sum (or largest value) of all members' x, element by element.
    virtual void all_reduce_sum(std::span<float> x) = 0;
    virtual void all_reduce_sum(std::span<double> x) = 0;
    virtual void all_reduce_max(std::span<float> x) = 0;
    virtual void all_reduce_max(std::span<double> x) = 0;

    /// The same sum while the caller goes on: x belongs to the group until wait(). Several may be under way; they are
    /// started in the same order on every member.
    virtual Transfer start_all_reduce_sum(std::span<float> x) = 0;
    virtual Transfer start_all_reduce_sum(std::span<double> x) = 0;

    /// x of member `root` becomes the sum; the other members' x is undefined afterwards.
    virtual Transfer start_reduce_sum(std::span<float> x, int root) = 0;
    /// Every member's x becomes that of `root`.
    virtual Transfer start_broadcast(std::span<float> x, int root) = 0;

    /// all = the members' `mine`, one after the other; all.size() = size() * mine.size().
    virtual void all_gather(std::span<const float> mine, std::span<float> all) = 0;
    virtual void all_gather(std::span<const double> mine, std::span<double> all) = 0;
    /// mine = part rank() of the sum of all members' `all`, which is used as scratch.
    virtual void reduce_scatter_sum(std::span<float> all, std::span<float> mine) = 0;
    virtual void reduce_scatter_sum(std::span<double> all, std::span<double> mine) = 0;

    /// A message to or from one member. Never blocks; messages of one (sender, tag) arrive in order.
    virtual Transfer start_send(int to, int tag, std::span<const std::byte> message) = 0;
    virtual Transfer start_receive(int from, int tag, std::span<std::byte> message) = 0;

    /// Returns once the transfer's memory may be used again.
    virtual void wait(Transfer transfer) = 0;
    /// Lets transfers under way go on, for long computations between their start and their end.
    virtual void progress() = 0;
};

}  // namespace loglog
