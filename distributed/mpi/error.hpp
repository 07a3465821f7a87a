#pragma once

#include <string>

#include "engine/base/error.hpp"

namespace loglog {

/// A call of MPI failed.
class MpiError : public Error {
  public:
    MpiError(int code, const std::string& what, const char* file, int line);

    int code() const noexcept { return code_; }

  private:
    int code_;
};

namespace mpi {

/// Throws MpiError unless `code` is MPI_SUCCESS. `what` says what was attempted: "send a run to rank 3".
void check(int code, const std::string& what, const char* file = __builtin_FILE(), int line = __builtin_LINE());

}  // namespace mpi
}  // namespace loglog
