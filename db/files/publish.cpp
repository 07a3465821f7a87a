#include "db/files/publish.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "engine/base/error.hpp"
#include "engine/base/unique_handle.hpp"

namespace loglog {
namespace {

struct DescriptorTraits {
    using Native = int;
    static int null() noexcept { return -1; }
    static void close(int descriptor) noexcept { ::close(descriptor); }
};
using Descriptor = UniqueHandle<DescriptorTraits>;

[[noreturn]] void fail(const std::filesystem::path& path, std::string_view what, int error_number) {
    throw Error{system_failure(path, what, error_number)};
}

Descriptor open_file(const std::filesystem::path& path, int flags, std::string_view what) {
    Descriptor descriptor{::open(path.c_str(), flags | O_CLOEXEC, 0666)};
    if (!descriptor) { fail(path, what, errno); }
    return descriptor;
}

void write_all(const std::filesystem::path& path, int descriptor, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(descriptor, text.data(), text.size());
        if (written < 0 && errno == EINTR) { continue; }
        if (written < 0) { fail(path, "writing", errno); }
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace

std::filesystem::path partial_path(const std::filesystem::path& path) {
    auto partial = path;
    partial += ".partial";
    return partial;
}

std::string system_failure(const std::filesystem::path& path, std::string_view what, int error_number) {
    std::string message = path.string() + ": " + std::string{what} + " failed: " + std::strerror(error_number);
    if (error_number == ENOSPC || error_number == EDQUOT) {
        message += "; free some space and run the same command again: nothing already stored is lost";
    }
    return message;
}

void sync_to_disk(const std::filesystem::path& path) {
    const Descriptor descriptor = open_file(path, O_RDONLY, "opening");
    // Some network file systems cannot sync a folder (EINVAL); renames there are ordered by the server.
    if (::fsync(descriptor.get()) != 0 && errno != EINVAL) { fail(path, "writing to disk", errno); }
}

void publish(const std::filesystem::path& path, Durability durability) {
    const auto partial = partial_path(path);
    if (durability == Durability::machine) { sync_to_disk(partial); }
    if (::rename(partial.c_str(), path.c_str()) != 0) { fail(path, "replacing", errno); }
    if (durability == Durability::machine) {
        sync_to_disk(path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."});
    }
}

void write_file(const std::filesystem::path& path, std::string_view text, Durability durability) {
    const auto partial = partial_path(path);
    try {
        Descriptor descriptor = open_file(partial, O_WRONLY | O_CREAT | O_TRUNC, "creating");
        write_all(partial, descriptor.get(), text);
        // Quotas on network file systems are only reported here.
        if (::close(descriptor.release()) != 0) { fail(partial, "closing", errno); }
        publish(path, durability);
    } catch (const Error&) {
        ::unlink(partial.c_str());
        throw;
    }
}

std::string read_file(const std::filesystem::path& path) {
    const Descriptor descriptor = open_file(path, O_RDONLY, "opening");
    std::string text;
    for (;;) {
        constexpr std::size_t block = 1 << 16;
        const std::size_t size = text.size();
        text.resize(size + block);
        const ssize_t got = ::read(descriptor.get(), text.data() + size, block);
        text.resize(size + (got > 0 ? static_cast<std::size_t>(got) : 0));
        if (got < 0 && errno == EINTR) { continue; }
        if (got < 0) { fail(path, "reading", errno); }
        if (got == 0) { return text; }
    }
}

}  // namespace loglog
