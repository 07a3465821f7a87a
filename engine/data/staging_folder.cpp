#include "engine/data/staging_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "engine/base/error.hpp"
#include "engine/data/shard.hpp"

namespace loglog {

namespace {

namespace fs = std::filesystem;

constexpr const char* lock_name = "/lock";

std::string without_trailing_slash(std::string path) {
    while (path.size() > 1 && path.back() == '/') { path.pop_back(); }
    return path;
}

[[noreturn]] void fail(const std::string& path, const char* doing, const std::string& reason) {
    throw Error{path + ": cannot " + doing + ": " + reason};
}

void create_folders(const std::string& path) {
    std::error_code code;
    fs::create_directories(path, code);
    if (code) { fail(path, "create the folder", code.message()); }
}

void rename_folder(const std::string& from, const std::string& to) {
    std::error_code code;
    fs::rename(from, to, code);
    if (code) { fail(to, "put the data set there", code.message()); }
}

void sync_folder(const std::string& path) {
    const UniqueHandle<FileDescriptorTraits> folder{open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    // Some network file systems cannot flush a folder and say EINVAL: then there is nothing more to be done.
    if (!folder || (fsync(folder.get()) != 0 && errno != EINVAL)) {
        fail(path, "flush the folder", std::strerror(errno));
    }
}

}  // namespace

void FileDescriptorTraits::close(int descriptor) noexcept { ::close(descriptor); }

bool is_occupied(const std::string& path) {
    std::error_code code;
    const auto status = fs::symlink_status(path, code);
    if (!fs::exists(status)) { return false; }
    return !fs::is_directory(path, code) || !fs::is_empty(path, code);
}

StagingFolder::StagingFolder(std::string out)
    : out_{without_trailing_slash(std::move(out))}, path_{out_ + ".building"} {
    create_folders(path_);
    lock_.reset(open((path_ + lock_name).c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
    if (!lock_) { fail(path_, "write there", std::strerror(errno)); }
    if (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        is_committed_ = true;  // not ours to remove
        throw InputError{out_ + ": another process is building this data set (it holds the lock " + path_ + lock_name +
                         ")"};
    }
    for (const auto& left_behind : fs::directory_iterator{path_}) {
        if (left_behind.path() != path_ + lock_name) { fs::remove_all(left_behind.path()); }
    }
}

StagingFolder::~StagingFolder() {
    std::error_code ignored;
    if (!is_committed_) { fs::remove_all(path_, ignored); }
}

void StagingFolder::commit(Existing existing) {
    sync_folder(path_);
    const std::string replaced = out_ + ".replaced";
    const bool is_replacing = is_occupied(out_);
    if (is_replacing && existing == Existing::refuse) {
        fail(out_, "put the data set there", "something appeared there meanwhile");
    }
    if (is_replacing) {
        fs::remove_all(replaced);
        rename_folder(out_, replaced);
    }
    fs::remove(path_ + lock_name);
    rename_folder(path_, out_);
    is_committed_ = true;
    const auto parent = fs::absolute(out_).parent_path();
    sync_folder(parent.string());
    std::error_code ignored;
    if (is_replacing) { fs::remove_all(replaced, ignored); }
}

void write_file(const std::string& path, const std::string& text) {
    UniqueHandle<FileTraits> file{std::fopen(path.c_str(), "wb")};
    const bool is_written = file && std::fwrite(text.data(), 1, text.size(), file.get()) == text.size() &&
                            std::fflush(file.get()) == 0 && fsync(fileno(file.get())) == 0;
    if (!is_written) { fail(path, "write", std::strerror(errno)); }
    if (std::fclose(file.release()) != 0) { fail(path, "write", std::strerror(errno)); }
}

}  // namespace loglog
