#pragma once

#include <mpi.h>

#include <utility>

namespace loglog {

/// A message or collective under way. Its memory must outlive it. One that is destroyed before it ended is left to MPI:
/// this happens only while an error ends the job.
class Request {
  public:
    Request() = default;
    explicit Request(MPI_Request request) noexcept : request_{request} {}
    Request(Request&& other) noexcept : request_{std::exchange(other.request_, MPI_REQUEST_NULL)} {}
    Request& operator=(Request&& other) noexcept {
        request_ = std::exchange(other.request_, MPI_REQUEST_NULL);
        return *this;
    }

    /// Whether it ended; lets it and all others of the process go on. Throws MpiError.
    bool test();

  private:
    MPI_Request request_ = MPI_REQUEST_NULL;
};

}  // namespace loglog
