#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace loglog {

/// When one run of a sweep had which ranks.
struct TimelineEntry {
    std::string id;
    std::vector<int> ranks;  ///< in the job's numbering, the leader first
    double start = 0;        ///< seconds since the job began to hand out runs
    double end = 0;
    std::string state;  ///< the run's at its end, or "busy": left to another process

    bool operator==(const TimelineEntry&) const = default;
};

/// The share of `ranks` ranks' time that runs had, between the first start and the last end; 1 for an empty timeline.
double utilisation(std::span<const TimelineEntry> timeline, int ranks);

/// REGISTRY/sweeps/NAME/timeline.jsonl: a line for each run that ended, of all jobs that worked on the sweep.
std::filesystem::path timeline_file(const std::filesystem::path& registry, std::string_view sweep);

/// The job that a timeline's lines come from.
struct TimelineJob {
    std::string started_at;  ///< ISO 8601, UTC
    int ranks = 1;
};

/// Appends a line, making folder and file as needed. Throws Error if that fails.
void append_to_timeline(const std::filesystem::path& file, const TimelineJob& job, const TimelineEntry& entry);

/// The entries of the file's last job. Throws Error for lines that are none; a last line cut short is left out.
std::vector<TimelineEntry> read_last_timeline(const std::filesystem::path& file);

}  // namespace loglog
