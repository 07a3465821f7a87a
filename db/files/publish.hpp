#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace loglog {

/// What a published file must outlive.
enum class Durability {
    process,  ///< a kill of this process at any moment: readers see the old file or the whole new one
    machine,  ///< a crash of the machine too: fsync of the file and of its folder
};

/// `path` with ".partial" appended: where a file is written before it is published.
std::filesystem::path partial_path(const std::filesystem::path& path);

/// Renames partial_path(path) to `path`. Throws Error naming the file and the system's reason.
void publish(const std::filesystem::path& path, Durability durability);

/// Writes the text beside `path` and publishes it. Throws Error, leaving an older file as it was.
void write_file(const std::filesystem::path& path, std::string_view text, Durability durability);

/// The whole file. Throws Error naming the file and the system's reason.
std::string read_file(const std::filesystem::path& path);

/// fsync of a file or folder.
void sync_to_disk(const std::filesystem::path& path);

/// "PATH: WHAT failed: No space left on device", with what to do about it where that is known.
std::string system_failure(const std::filesystem::path& path, std::string_view what, int error_number);

}  // namespace loglog
