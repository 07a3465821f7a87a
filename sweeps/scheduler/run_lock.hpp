#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

namespace loglog {

/// Keeps a run to one process, whichever sweep or command it belongs to: flock(2) on REGISTRY/locks/ID, which the
/// system releases when the process dies, however it dies. Where a network file system passes locks on, it also holds
/// between hosts.
class RunLock {
  public:
    /// Nothing if another process has it. Throws Error if the lock file cannot be made.
    static std::optional<RunLock> try_acquire(const std::filesystem::path& registry, std::string_view run_id);

    RunLock(RunLock&& other) noexcept;
    RunLock& operator=(RunLock&&) = delete;
    ~RunLock();

  private:
    RunLock(std::filesystem::path path, int descriptor);

    std::filesystem::path path_;
    int descriptor_;
};

}  // namespace loglog
