#include "experiments/run/environment.hpp"

#include <fmt/core.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>

#include "db/hdf5/hdf5_file.hpp"
#include "db/registry/run_record.hpp"
#include "db/sqlite/connection.hpp"
#include "engine/base/cores.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

/// The value of the first line of a /proc file that starts with `key`, after its colon.
std::string proc_value(const char* file, std::string_view key) {
    std::ifstream stream{file};
    for (std::string line; std::getline(stream, line);) {
        const std::size_t colon = line.find(':');
        if (!line.starts_with(key) || colon == std::string::npos) { continue; }
        const std::size_t start = line.find_first_not_of(" \t", colon + 1);
        return start == std::string::npos ? "" : line.substr(start);
    }
    return "";
}

bool matters(std::string_view name) {
    constexpr std::array prefixes = std::to_array<std::string_view>(
        {"OMP_", "GOMP_", "KMP_", "OPENBLAS_", "DNNL_", "ONEDNN_", "SLURM_", "OMPI_", "PMI", "HWLOC_", "UCX_", "FI_",
         "CUDA_", "NCCL_", "LOGLOG_", "HDF5_", "PBS_", "LSB_", "MALLOC_"});
    constexpr std::array secrets = std::to_array<std::string_view>({"TOKEN", "SECRET", "KEY", "PASS", "JWT", "CRED"});
    const auto has_prefix = [&](std::string_view prefix) { return name.starts_with(prefix); };
    const auto contains = [&](std::string_view word) { return name.find(word) != std::string_view::npos; };
    return std::any_of(prefixes.begin(), prefixes.end(), has_prefix) &&
           std::none_of(secrets.begin(), secrets.end(), contains);
}

Json relevant_variables() {
    Json variables = Json::object();
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text{*entry};
        const std::size_t equals = text.find('=');
        if (equals != std::string_view::npos && matters(text.substr(0, equals))) {
            variables[std::string{text.substr(0, equals)}] = text.substr(equals + 1);
        }
    }
    return variables;
}

std::string compiler_name() {
#ifdef __clang__
    return __VERSION__;
#else
    return std::string{"GCC "} + __VERSION__;
#endif
}

std::string system_name() {
    utsname name{};
    return uname(&name) == 0 ? std::string{name.sysname} + " " + name.release + " " + name.machine : "";
}

Json library_versions(const std::vector<std::pair<std::string, std::string>>& more) {
    Json libraries = {{"hdf5", hdf5_version()},
                      {"sqlite", sqlite_version()},
                      {"fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
                      {"nlohmann_json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR,
                                                    NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH)}};
    for (const auto& [name, version] : more) { libraries[name] = version; }
    return libraries;
}

}  // namespace

std::string host_name() {
    std::array<char, 256> name{};
    ::gethostname(name.data(), name.size() - 1);
    return name.data();
}

std::string capture_environment(int argc, const char* const* argv,
                                const std::vector<std::pair<std::string, std::string>>& libraries) {
    Json command = Json::array();
    for (int i = 0; i < argc; ++i) { command.push_back(argv[i]); }
    std::error_code unknown;
    const Json environment = {{"captured_at", utc_now()},
                              {"code_version", code_version()},
                              {"command", command},
                              {"working_folder", std::filesystem::current_path(unknown).string()},
                              {"host", host_name()},
                              {"system", system_name()},
                              {"cpu", proc_value("/proc/cpuinfo", "model name")},
                              {"cores", online_cores()},
                              {"usable_cores", usable_cores()},
                              {"memory", proc_value("/proc/meminfo", "MemTotal")},
                              {"compiler", compiler_name()},
                              {"build", LOGLOG_BUILD_FLAGS},
                              {"libraries", library_versions(libraries)},
                              {"variables", relevant_variables()}};
    return environment.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace loglog
