#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/loglog/verbs.hpp"
#include "apps/loglog/version.hpp"
#include "db/files/file_system.hpp"
#include "db/hdf5/hdf5_file.hpp"
#include "distributed/mpi/session.hpp"
#include "engine/base/cores.hpp"
#include "engine/base/error.hpp"
#include "engine/measure/ceilings.hpp"
#include "experiments/run/environment.hpp"

namespace loglog {
namespace {

enum class Verdict { ok, note, problem };

struct Finding {
    std::string subject;
    Verdict verdict;
    std::string text;
};

const char* to_text(Verdict verdict) {
    switch (verdict) {
        case Verdict::ok:
            return "ok";
        case Verdict::note:
            return "note";
        case Verdict::problem:
            return "problem";
    }
    return "";
}

std::string environment_value(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "not set" : value;
}

Finding inspect_program() {
#ifdef NDEBUG
    return {"program", Verdict::ok, fmt::format("loglog {}, code {}, optimised build", version, code_version())};
#else
    return {"program", Verdict::note,
            fmt::format("loglog {}, code {}, a build with assertions: slower than the release preset", version,
                        code_version())};
#endif
}

Finding inspect_cores() {
    const int cores = usable_cores();
    return {"cores", Verdict::ok,
            fmt::format("{} usable by this process, {} on the machine; OMP_NUM_THREADS {}, OMP_PROC_BIND {}", cores,
                        online_cores(), environment_value("OMP_NUM_THREADS"), environment_value("OMP_PROC_BIND"))};
}

Finding inspect_peak() {
    const double one = measured_fma_peak(1);
    const int cores = usable_cores();
    const double all = cores > 1 ? measured_fma_peak(cores) : one;
    const auto text = fmt::format(
        "{:.0f} GFLOP/s of fp32 multiply-adds on 1 thread, {:.0f} on {}; matrix products are the "
        "program's own kernels, chosen for this processor at run time",
        one / 1e9, all / 1e9, cores);
    if (all < 0.8 * one * cores) {
        return {"arithmetic", Verdict::note,
                text + "; the cores do not add up: something else runs, or they share units"};
    }
    return {"arithmetic", Verdict::ok, text};
}

Finding inspect_mpi() {
    return {"MPI", Verdict::ok,
            fmt::format("{}; this process was {} by a launcher", mpi_library_version(),
                        started_by_launcher() ? "started" : "not started")};
}

Finding inspect_cuda() {
    const bool device = std::filesystem::exists("/dev/nvidiactl");
    return {"CUDA", Verdict::note,
            fmt::format("this build has no CUDA back end and no NCCL; {}",
                        device ? "this machine has an NVIDIA device, which it will not use"
                               : "this machine has no NVIDIA device")};
}

/// Whether POSIX record locks work in `folder`, which SQLite relies on.
std::string try_lock(const std::filesystem::path& folder) {
    std::string name = (folder / "loglog-lock-XXXXXX").string();
    const int file = mkstemp(name.data());
    if (file < 0) { return fmt::format("cannot make a file: {}", std::strerror(errno)); }
    struct flock lock {};
    lock.l_type = F_WRLCK;
    const bool locked = fcntl(file, F_SETLK, &lock) == 0;
    const int error = errno;
    ::close(file);
    std::filesystem::remove(name);
    return locked ? "" : fmt::format("files cannot be locked: {}", std::strerror(error));
}

Finding inspect_registry(const std::filesystem::path& registry) {
    auto folder = std::filesystem::absolute(registry);
    const bool exists = std::filesystem::exists(folder);
    while (!std::filesystem::exists(folder)) { folder = folder.parent_path(); }
    const auto system = file_system_of(folder);
    const auto where =
        fmt::format("{}{}, on a {} file system", registry.string(), exists ? "" : " (not made yet)", system.name);
    if (const auto problem = try_lock(folder); !problem.empty()) {
        return {"registry", Verdict::problem, where + ": " + problem};
    }
    if (system.network) {
        return {"registry", Verdict::note,
                where + ": locks work; the registry keeps to a rollback journal and one writer"};
    }
    return {"registry", Verdict::ok, where + ": locks work"};
}

void examine(const std::string& registry_option, bool as_json, Program& program) {
    const std::vector<Finding> findings{inspect_program(),
                                        inspect_cores(),
                                        inspect_peak(),
                                        inspect_mpi(),
                                        {"HDF5", Verdict::ok, hdf5_version()},
                                        inspect_cuda(),
                                        inspect_registry(registry_folder(registry_option))};
    bool problem = false;
    nlohmann::json list = nlohmann::json::array();
    for (const auto& finding : findings) {
        problem = problem || finding.verdict == Verdict::problem;
        list.push_back({{"subject", finding.subject}, {"verdict", to_text(finding.verdict)}, {"text", finding.text}});
        if (!as_json) { fmt::print("{:<8} {:<11} {}\n", to_text(finding.verdict), finding.subject, finding.text); }
    }
    if (as_json) { fmt::print("{}\n", nlohmann::json{{"findings", list}, {"ok", !problem}}.dump(2)); }
    if (problem) { program.exit_status = 1; }
}

}  // namespace

void add_doctor_verb(CLI::App& app, Program& program) {
    struct Options {
        std::string registry;
        bool json = false;
    };
    auto options = std::make_shared<Options>();
    auto* verb = app.add_subcommand("doctor", "What this build and machine have, and what stands in the way");
    verb->add_option("--registry", options->registry,
                     "Folder to examine (default: $LOGLOG_REGISTRY, else ./loglog-runs)");
    verb->add_flag("--json", options->json, "Print the findings as JSON");
    verb->callback([options, &program] { examine(options->registry, options->json, program); });
}

}  // namespace loglog
