#include "distributed/mpi/error.hpp"

#include <mpi.h>

#include <array>

namespace loglog {
namespace {

std::string describe(int code) {
    std::array<char, MPI_MAX_ERROR_STRING> text{};
    int length = 0;
    if (MPI_Error_string(code, text.data(), &length) != MPI_SUCCESS) { return "error " + std::to_string(code); }
    return {text.data(), static_cast<std::size_t>(length)};
}

}  // namespace

MpiError::MpiError(int code, const std::string& what, const char* file, int line)
    : Error{"MPI could not " + what + ": " + describe(code) + " (" + file + ":" + std::to_string(line) + ")"},
      code_{code} {}

namespace mpi {

void check(int code, const std::string& what, const char* file, int line) {
    if (code != MPI_SUCCESS) { throw MpiError{code, what, file, line}; }
}

}  // namespace mpi
}  // namespace loglog
