#include "distributed/mpi/session.hpp"

#include <mpi.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "distributed/mpi/error.hpp"

namespace loglog {

bool started_by_launcher() {
    for (const char* variable : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"}) {
        if (std::getenv(variable) != nullptr) { return true; }
    }
    return false;
}

int launched_rank() {
    for (const char* variable : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"}) {
        if (const char* text = std::getenv(variable)) { return std::atoi(text); }
    }
    return 0;
}

std::string mpi_library_version() {
    std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
    int length = 0;
    mpi::check(MPI_Get_library_version(text.data(), &length), "tell its version");
    const std::string version{text.data(), static_cast<std::size_t>(length)};
    return version.substr(0, version.find(','));  // Open MPI appends how and where it was packaged
}

MpiSession::MpiSession() : exceptions_{std::uncaught_exceptions()} {
    int provided = 0;
    mpi::check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided), "start");
    if (provided < MPI_THREAD_MULTIPLE) {
        MPI_Finalize();
        throw Error{
            "this MPI library does not allow calls from several threads (MPI_THREAD_MULTIPLE), which a sweep needs"};
    }
}

MpiSession::~MpiSession() {
    if (std::uncaught_exceptions() > exceptions_) { abort("an error ends the job", 1); }
    MPI_Finalize();
}

void MpiSession::abort(const std::string& message, int status) {
    int rank = -1;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    std::fprintf(stderr, "loglog: rank %d: %s\n", rank, message.c_str());
    MPI_Abort(MPI_COMM_WORLD, status);
    std::_Exit(status);  // MPI_Abort does not return where it works
}

}  // namespace loglog
