#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "db/registry/run_record.hpp"
#include "experiments/run/journal.hpp"

namespace loglog {

/// REGISTRY/runs/ID
std::filesystem::path run_folder(const std::filesystem::path& registry, std::string_view id);
/// The files of a run folder: spec.json, run.json, environment.json, journal.jsonl, curves.h5, tags.json.
bool run_folder_exists(const std::filesystem::path& registry, std::string_view id);

/// Creates the folder of a planned run, all at once (made beside and renamed): spec.json from `plan.spec`, run.json
/// from the rest, environment.json from `environment` (see environment.hpp). `plan` holds every column known
/// beforehand: id, sweep, name, shape, parameter counts, flops_per_token, planned tokens/flops/steps, lr, layout ...;
/// `created_at`, `folder` and `host` are filled in here. Returns the record, in state planned. Throws InputError if the
/// run exists.
RunRecord create_run_folder(const std::filesystem::path& registry, RunRecord plan, std::string_view environment);

/// Everything the registry stores of a run, from its folder alone: run.json, spec.json, tags.json and the journal. A
/// run whose process died on this host without closing it is `stopped`. Throws Error naming the file that cannot be
/// used.
RunRecord record_from_folder(const std::filesystem::path& folder);

/// Writes curves.h5 for an ended run that has none: its process was killed just after the closing line.
void complete_run_folder(const std::filesystem::path& folder, const RunRecord& record);

/// Tags are kept sorted, each once. Throws InputError for an empty tag or one with a comma.
std::vector<std::string> read_tags(const std::filesystem::path& folder);
void write_tags(const std::filesystem::path& folder, std::vector<std::string> tags);

/// A run that this process trains: appends to its journal and closes it. Only one rank of a run holds it.
///
///     create_run_folder(registry, plan, environment);                      // unless run_folder_exists()
///     LiveRun run = LiveRun::open(run_folder(registry, id), resume_step);  // 0: from the start
///     run.journal().write(StepLine{...});
///     RunRecord record = run.close({.state = RunState::ok});
class LiveRun {
  public:
    /// Starts the run, or goes on after `resume_step` if it was started before (the checkpoint's step; 0: from
    /// nothing). Throws Error if another live process of this host trains it.
    static LiveRun open(const std::filesystem::path& folder, std::int64_t resume_step);

    JournalWriter& journal() noexcept { return journal_; }
    const std::filesystem::path& folder() const noexcept { return folder_; }

    struct End {
        RunState state = RunState::ok;
        std::string reason{};
        std::int64_t peak_memory_bytes = 0;  ///< 0: not known
    };
    /// Writes the closing line, then curves.h5, and returns the run's record. The run is over for this object.
    RunRecord close(const End& end);

  private:
    LiveRun(std::filesystem::path folder, JournalWriter journal);

    std::filesystem::path folder_;
    JournalWriter journal_;
};

/// The process now running.
RunOwner this_process();
/// False only if it certainly is gone: same host, no such process.
bool may_be_alive(const RunOwner& owner);

}  // namespace loglog
