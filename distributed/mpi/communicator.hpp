#pragma once

#include <mpi.h>

#include <cstddef>
#include <exception>
#include <optional>
#include <span>
#include <vector>

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
    /// Collective over `comm`.
    static Communicator duplicate(MPI_Comm comm);
    /// All ranks of the job.
    static Communicator world() { return duplicate(MPI_COMM_WORLD); }

    int rank() const noexcept { return rank_; }
    int size() const noexcept { return size_; }
    MPI_Comm native() const noexcept { return handle_.get(); }

    /// Returns once `message` may be reused.
    void send(int to, int tag, std::span<const std::byte> message) const;

    struct Received {
        int from;
        std::vector<std::byte> message;
    };
    /// The next message with `tag`, from anyone; nothing if none has arrived. Safe from several threads that use
    /// different tags.
    std::optional<Received> try_receive(int tag) const;

    /// Ranks that share this host's memory, this one included.
    int ranks_on_this_host() const;

  private:
    explicit Communicator(CommHandle handle);

    CommHandle handle_;
    int rank_ = 0;
    int size_ = 1;
};

}  // namespace loglog
