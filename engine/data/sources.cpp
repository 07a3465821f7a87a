#include "engine/data/sources.hpp"

#include <fnmatch.h>
#include <glob.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "engine/base/error.hpp"

namespace loglog {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, const std::string& reason) {
    throw InputError{path.string() + ": cannot read: " + reason};
}

bool is_included(const fs::path& relative, const std::vector<std::string>& include) {
    const auto matches = [&](const std::string& pattern) {
        const auto subject = pattern.find('/') == std::string::npos ? relative.filename() : relative;
        return fnmatch(pattern.c_str(), subject.c_str(), 0) == 0;
    };
    return include.empty() || std::any_of(include.begin(), include.end(), matches);
}

void add_folder(const fs::path& folder, std::vector<std::string>& files) {
    std::error_code code;
    for (auto entry = fs::directory_iterator{folder, code}; !code && entry != fs::directory_iterator{};
         entry.increment(code)) {
        const fs::path& path = entry->path();
        std::error_code status_code;
        if (entry->is_directory(status_code) && !entry->is_symlink(status_code)) {
            add_folder(path, files);
        } else if (entry->is_regular_file(status_code)) {
            files.push_back(path.string());
        }
    }
    if (code) { fail(folder, code.message()); }
}

std::vector<std::string> expand(const std::string& pattern) {
    glob_t matches{};
    const int status = glob(pattern.c_str(), 0, nullptr, &matches);
    std::vector<std::string> paths(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
    globfree(&matches);
    if (status == GLOB_NOMATCH || (status == 0 && paths.empty())) {
        const bool is_pattern = pattern.find_first_of("*?[") != std::string::npos;
        fail(pattern, is_pattern ? "no file matches the pattern" : std::strerror(ENOENT));
    }
    if (status != 0) { fail(pattern, "the pattern could not be expanded"); }
    return paths;
}

void add_found(const fs::path& path, const std::vector<std::string>& include, std::vector<std::string>& files) {
    if (!fs::is_directory(path)) {
        if (is_included(path, include)) { files.push_back(path.string()); }
        return;
    }
    std::vector<std::string> below;
    add_folder(path, below);
    for (std::string& file : below) {
        if (is_included(fs::path{file}.lexically_relative(path), include)) { files.push_back(std::move(file)); }
    }
}

}  // namespace

std::vector<std::string> find_source_files(const std::vector<std::string>& paths,
                                           const std::vector<std::string>& include) {
    std::vector<std::string> files;
    for (const std::string& path : paths) {
        std::error_code code;
        const auto status = fs::status(path, code);
        if (fs::is_directory(status)) {
            add_found(path, include, files);
        } else if (fs::exists(status)) {
            files.push_back(path);
        } else if (status.type() == fs::file_type::not_found) {
            for (const std::string& match : expand(path)) { add_found(match, include, files); }
        } else {
            fail(path, code.message());
        }
    }
    std::sort(files.begin(), files.end());
    files.erase(std::unique(files.begin(), files.end()), files.end());
    if (files.empty()) { throw InputError{"no file found to build a data set from (paths given, --include applied)"}; }
    return files;
}

}  // namespace loglog
