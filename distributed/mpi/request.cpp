#include "distributed/mpi/request.hpp"

#include "distributed/mpi/error.hpp"

namespace loglog {

bool Request::test() {
    if (request_ == MPI_REQUEST_NULL) { return true; }
    int ended = 0;
    mpi::check(MPI_Test(&request_, &ended, MPI_STATUS_IGNORE), "go on with a message or collective under way");
    return ended != 0;
}

}  // namespace loglog
