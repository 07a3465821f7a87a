#include "experiments/run/rebuild.hpp"

#include <algorithm>
#include <system_error>

#include "db/registry/registry.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/run_folder.hpp"

namespace loglog {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> run_folders(const fs::path& registry) {
    std::error_code error;
    fs::directory_iterator entries{registry / "runs", error};
    if (error) {
        throw InputError{(registry / "runs").string() + ": no run folders to rebuild from (" + error.message() + ")"};
    }
    std::vector<fs::path> folders;
    for (const auto& entry : entries) {
        const bool hidden = entry.path().filename().string().starts_with('.');  // one being made
        if (!hidden && entry.is_directory(error)) { folders.push_back(entry.path()); }
    }
    std::sort(folders.begin(), folders.end());
    return folders;
}

RunRecord read_record(const fs::path& folder) {
    RunRecord record = record_from_folder(folder);
    if (folder.filename() != record.id) {
        throw Error{"the folder's name is not the id of the run in it (" + record.id + ")"};
    }
    return record;
}

}  // namespace

RebuildReport rebuild_registry(const fs::path& registry) {
    static_cast<void>(run_folders(registry));  // before anything is touched
    RebuildReport report;
    Registry::replace(registry, [&] {
        std::vector<RunRecord> records;
        for (const fs::path& folder : run_folders(registry)) {
            try {
                records.push_back(read_record(folder));
                complete_run_folder(folder, records.back());
                ++report.runs[records.back().state];
            } catch (const std::exception& error) { report.unreadable.emplace_back(folder, error.what()); }
        }
        return records;
    });
    return report;
}

void refresh_registry(const fs::path& registry) {
    if (!Registry::exists(registry)) { return; }
    std::vector<RunRecord> changed;
    for (const RunRecord& known : Registry::open(registry, Access::read).select("state IN ('planned', 'running')")) {
        const fs::path folder = run_folder(registry, known.id);
        if (!fs::exists(folder / "journal.jsonl")) { continue; }
        try {
            RunRecord record = record_from_folder(folder);
            const bool ended = record.state != RunState::planned && record.state != RunState::running;
            if (!ended) { continue; }
            complete_run_folder(folder, record);
            changed.push_back(std::move(record));
        } catch (const Error&) {}  // `rebuild` reports folders that cannot be read
    }
    if (changed.empty()) { return; }
    try {
        Registry::open(registry, Access::write, std::chrono::milliseconds{500}).upsert(changed);
    } catch (const Error&) {}
}

}  // namespace loglog
