#pragma once

#include <string>

#include "distributed/mpi/communicator.hpp"

namespace loglog {

/// The text that rank `root` gives; what the others give is ignored. Collective.
std::string broadcast_text(const Communicator& communicator, std::string text, int root = 0);

}  // namespace loglog
