#pragma once

#include <string>
#include <vector>

namespace loglog {

/// The regular files behind PATH arguments, as sorted paths without repetition: a file is itself, a folder everything
/// below it (symbolic links to files are followed, to folders not), anything else is a glob pattern.
///
/// include   glob patterns for files found in folders or by patterns, matched against the file's name, or its path
/// below
///           the argument where the pattern has a '/'; none: every file
/// Throws InputError for a path that is missing or unreadable, naming it and the system's reason, for a pattern that
/// matches nothing, and when no file is left.
std::vector<std::string> find_source_files(const std::vector<std::string>& paths,
                                           const std::vector<std::string>& include);

}  // namespace loglog
