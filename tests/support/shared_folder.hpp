#pragma once

#include <mpi.h>

#include <array>
#include <filesystem>
#include <optional>
#include <string>

#include "tests/support/temporary_folder.hpp"

namespace loglog {

/// A folder of all ranks of the job, made and, once every rank is done with it, removed by rank 0.
class SharedFolder {
  public:
    SharedFolder() {
        int rank = 0;
        MPI_Comm_rank(MPI_COMM_WORLD, &rank);
        std::array<char, 4096> name{};
        if (rank == 0) {
            own_.emplace();
            own_->path().string().copy(name.data(), name.size() - 1);
        }
        MPI_Bcast(name.data(), static_cast<int>(name.size()), MPI_CHAR, 0, MPI_COMM_WORLD);
        path_ = name.data();
    }
    SharedFolder(const SharedFolder&) = delete;
    SharedFolder& operator=(const SharedFolder&) = delete;
    ~SharedFolder() { MPI_Barrier(MPI_COMM_WORLD); }

    const std::filesystem::path& path() const noexcept { return path_; }
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

  private:
    std::optional<TemporaryFolder> own_;
    std::filesystem::path path_;
};

}  // namespace loglog
