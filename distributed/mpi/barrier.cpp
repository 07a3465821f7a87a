#include "distributed/mpi/barrier.hpp"

#include <mpi.h>

#include <chrono>
#include <thread>

#include "distributed/mpi/error.hpp"

namespace loglog {

void wait_for_all(const Communicator& communicator) {
    MPI_Request request = MPI_REQUEST_NULL;
    mpi::check(MPI_Ibarrier(communicator.native(), &request), "wait for all ranks");
    for (int done = 0; done == 0;) {
        mpi::check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "wait for all ranks");
        if (done == 0) { std::this_thread::sleep_for(std::chrono::milliseconds{1}); }
    }
}

}  // namespace loglog
