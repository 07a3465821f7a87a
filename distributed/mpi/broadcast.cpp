#include "distributed/mpi/broadcast.hpp"

#include <mpi.h>

#include "distributed/mpi/error.hpp"

namespace loglog {

std::string broadcast_text(const Communicator& communicator, std::string text, int root) {
    auto size = static_cast<long long>(text.size());
    mpi::check(MPI_Bcast(&size, 1, MPI_LONG_LONG, root, communicator.native()), "broadcast a text's size");
    text.resize(static_cast<std::size_t>(size));
    mpi::check(MPI_Bcast(text.data(), static_cast<int>(size), MPI_CHAR, root, communicator.native()),
               "broadcast a text");
    return text;
}

}  // namespace loglog
