#pragma once

#include "distributed/mpi/communicator.hpp"

namespace loglog {

/// Returns once every rank has called it. Waiting may be long and leaves the core to others.
void wait_for_all(const Communicator& communicator);

}  // namespace loglog
