#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>

namespace loglog::testing {

/// The folder of published scaling-law data, kept outside the repository: $LOGLOG_LAWS, or ../shared/data/laws beside
/// the sources. Nothing where it is not there.
inline std::optional<std::filesystem::path> laws_folder() {
    const char* from_environment = std::getenv("LOGLOG_LAWS");
    const std::filesystem::path folder = from_environment != nullptr
                                             ? std::filesystem::path{from_environment}
                                             : std::filesystem::path{LOGLOG_SOURCE_DIR} / "../shared/data/laws";
    if (!std::filesystem::is_directory(folder)) { return std::nullopt; }
    return folder;
}

}  // namespace loglog::testing
