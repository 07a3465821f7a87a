#pragma once

#include <mpi.h>

#include <cstddef>
#include <exception>
#include <optional>
#include <span>
#include <vector>

#include "distributed/mpi/request.hpp"
#include "engine/base/unique_handle.hpp"

namespace loglog {

struct MpiCommTraits {
    using Native = MPI_Comm;
    static MPI_Comm null() noexcept { return MPI_COMM_NULL; }
    static void close(MPI_Comm comm) noexcept {
        int finalized = 0;
        MPI_Finalized(&finalized);
        // Freeing is collective: while unwinding the other ranks are not here, so leak and let the session abort.
        if (finalized == 0 && std::uncaught_exceptions() == 0) { MPI_Comm_free(&comm); }
    }
};
using CommHandle = UniqueHandle<MpiCommTraits>;

/// A group of ranks with messages of its own: a duplicate of what it is given, with errors returned and thrown as
/// MpiError instead of ending the job before anyone can say why.
class Communicator {
  public:
    /// Tags of messages lie below this one; every MPI library allows it.
    static constexpr int tag_limit = 1 << 15;

    /// Collective over `comm`.
    static Communicator duplicate(MPI_Comm comm);
    /// All ranks of the job.
    static Communicator world() { return duplicate(MPI_COMM_WORLD); }

    int rank() const noexcept { return rank_; }
    int size() const noexcept { return size_; }
    MPI_Comm native() const noexcept { return handle_.get(); }

    /// The given ranks of this communicator, in the order given, with messages of their own. Collective over these
    /// ranks alone; `tag` tells groups apart that one rank belongs to and that are made at the same time.
    Communicator create_group(std::span<const int> ranks, int tag) const;

    /// What Fortran calls this communicator, for libraries that are given one without their header knowing MPI.
    int fortran_handle() const { return static_cast<int>(MPI_Comm_c2f(handle_.get())); }

    /// Returns once `message` may be reused.
    void send(int to, int tag, std::span<const std::byte> message) const;

    struct Received {
        int from;
        std::vector<std::byte> message;
    };
    /// The next message with `tag`, from anyone; nothing if none has arrived. Safe from several threads that use
    /// different tags.
    std::optional<Received> try_receive(int tag) const;

    /// A message or collective that goes on while the caller computes; memory belongs to it until it ended. Counts are
    /// limited to 2^31 - 1: longer ones are cut by the caller.
    Request start_send(int to, int tag, std::span<const std::byte> message) const;
    Request start_receive(int from, int tag, std::span<std::byte> message) const;
    Request start_all_reduce_sum(std::span<float> x) const;
    Request start_all_reduce_sum(std::span<double> x) const;
    /// Rank `root` has the sum in x; the others' x is unchanged.
    Request start_reduce_sum(std::span<float> x, int root) const;
    Request start_broadcast(std::span<std::byte> x, int root) const;

    /// x becomes the sum of all ranks' x.
    void all_reduce_sum(std::span<float> x) const;
    void all_reduce_sum(std::span<double> x) const;

    /// Ranks that share this host's memory, this one included.
    int ranks_on_this_host() const;

  private:
    explicit Communicator(CommHandle handle);

    CommHandle handle_;
    int rank_ = 0;
    int size_ = 1;
};

}  // namespace loglog
