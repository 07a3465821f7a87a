#pragma once

#include <filesystem>
#include <string>

namespace loglog {

/// The kind of file system a path lies on, as far as a database cares.
struct FileSystem {
    std::string name;      ///< "nfs", "lustre", "gpfs", ...; "local" for everything not known to be shared
    bool network = false;  ///< shared between machines: no shared memory, file locks slow or unreliable
};

/// Of the folder or file; of its nearest existing parent if it does not exist. Throws Error if even that fails.
FileSystem file_system_of(const std::filesystem::path& path);

/// By the number statfs(2) gives.
FileSystem file_system_from_magic(unsigned long magic);

}  // namespace loglog
