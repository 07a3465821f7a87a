#include "sweeps/scheduler/run_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path) {
    throw Error{path.string() + ": cannot lock the run: " + std::strerror(errno)};
}

// Whether `path` still names the open file: another process may have removed it between open and flock.
bool is_same_file(const std::filesystem::path& path, int descriptor) {
    struct stat by_path {};
    struct stat by_descriptor {};
    return ::stat(path.c_str(), &by_path) == 0 && ::fstat(descriptor, &by_descriptor) == 0 &&
           by_path.st_ino == by_descriptor.st_ino && by_path.st_dev == by_descriptor.st_dev;
}

}  // namespace

RunLock::RunLock(std::filesystem::path path, int descriptor) : path_{std::move(path)}, descriptor_{descriptor} {}

RunLock::RunLock(RunLock&& other) noexcept
    : path_{std::move(other.path_)}, descriptor_{std::exchange(other.descriptor_, -1)} {}

RunLock::~RunLock() {
    if (descriptor_ < 0) { return; }
    ::unlink(path_.c_str());  // while locked: who opened it before finds another file under the name and tries again
    ::close(descriptor_);
}

std::optional<RunLock> RunLock::try_acquire(const std::filesystem::path& registry, std::string_view run_id) {
    const std::filesystem::path folder = registry / "locks";
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    const std::filesystem::path path = folder / run_id;
    while (true) {
        const int descriptor = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666);
        if (descriptor < 0) { fail(path); }
        if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
            const int reason = errno;
            ::close(descriptor);
            if (reason == EWOULDBLOCK) { return std::nullopt; }
            errno = reason;
            fail(path);
        }
        if (is_same_file(path, descriptor)) { return RunLock{path, descriptor}; }
        ::close(descriptor);
    }
}

}  // namespace loglog
