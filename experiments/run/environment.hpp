#pragma once

#include <string>
#include <utility>
#include <vector>

namespace loglog {

/// What this process runs in, as a JSON object for environment.json: host, CPU model and cores, system, compiler, build
/// flags, library versions, code version, command line, working folder, and the environment variables that matter
/// (OMP_*, SLURM_*, OMPI_*, ...). `libraries` adds versions only the caller knows: {"mpi", "Open MPI v4.1.4"}.
std::string capture_environment(int argc, const char* const* argv,
                                const std::vector<std::pair<std::string, std::string>>& libraries = {});

/// Identifies the code that determines a run's numbers: the program's version and a hash over the sources of engine,
/// distributed and experiments. Other changes (documentation, analysis) leave it alone.
const char* code_version() noexcept;

/// This machine's name.
std::string host_name();

}  // namespace loglog
