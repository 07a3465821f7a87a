#pragma once

#include <string>

namespace loglog {

/// Whether this process was started by mpirun, srun or another launcher that MPI can talk to. Without one MPI is left
/// alone: starting it takes longer than printing a help text.
bool started_by_launcher();

/// This process's number among those that the launcher started; 0 without one. Needs no session.
int launched_rank();

/// Name and version of the MPI library; needs no session.
std::string mpi_library_version();

/// MPI from start to end. Lives in main or in a verb; only one may exist in a process's life.
class MpiSession {
  public:
    /// Initialises MPI for calls from several threads. Throws Error when the library cannot give that.
    MpiSession();
    /// Finalises; when an exception is on its way, ends all ranks instead, since they wait for this one.
    ~MpiSession();
    MpiSession(const MpiSession&) = delete;
    MpiSession& operator=(const MpiSession&) = delete;

    /// Ends every rank of the job with `status`, after printing `message` with this rank's number.
    [[noreturn]] static void abort(const std::string& message, int status);

  private:
    int exceptions_;
};

}  // namespace loglog
