#pragma once

#include <string>

#include "engine/base/unique_handle.hpp"

namespace loglog {

struct FileDescriptorTraits {
    using Native = int;
    static int null() noexcept { return -1; }
    static void close(int descriptor) noexcept;
};

enum class Existing { refuse, replace };

/// A folder OUT.building beside OUT, in which OUT is made: commit() renames it, so that OUT is either whole or not
/// there. What a killed process left behind is cleared by the next one; two at work at once are refused by a lock.
class StagingFolder {
  public:
    /// Throws InputError when another process is building `out`, Error when the folder cannot be made.
    explicit StagingFolder(std::string out);
    StagingFolder(const StagingFolder&) = delete;
    StagingFolder& operator=(const StagingFolder&) = delete;
    /// Removes the folder unless it was committed.
    ~StagingFolder();

    const std::string& path() const noexcept { return path_; }
    /// Flushes to disk and renames to `out`, which must not exist or be empty, unless `existing` is `replace`.
    void commit(Existing existing);

  private:
    std::string out_;
    std::string path_;
    UniqueHandle<FileDescriptorTraits> lock_;
    bool is_committed_ = false;
};

/// Writes a small file whole and flushes it to disk. Throws Error with the system's reason.
void write_file(const std::string& path, const std::string& text);

/// Whether there is anything at `path` but an empty folder.
bool is_occupied(const std::string& path);

}  // namespace loglog
