#pragma once

#include <string>

#include "db/hdf5/hdf5_file.hpp"
#include "engine/base/error.hpp"

/// What the sources of this folder share around HDF5's calls.
namespace loglog::hdf5 {

using Id = Hdf5Handle::Native;

/// HDF5's error stack as one line, outermost call first; clears it.
std::string reason();

/// Passes a status or identifier on unless it says failure.
template <class Status>
Status check(Status status, const std::string& what) {
    if (status < 0) { throw Error{what + " failed: " + reason()}; }
    return status;
}

inline Hdf5Handle own(Id id, const std::string& what) { return Hdf5Handle{check(id, what)}; }

/// T is float, double or std::int64_t.
template <class T>
Id memory_type();
template <class T>
Id stored_type();

/// For opening and creating files with one process's driver.
Hdf5Handle access_properties(const std::filesystem::path& path);
/// For datasets whose groups come to be with them.
Hdf5Handle link_properties(const std::string& what);

}  // namespace loglog::hdf5
