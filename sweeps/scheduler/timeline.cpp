#include "sweeps/scheduler/timeline.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

using Json = nlohmann::ordered_json;

Json to_object(const TimelineJob& job, const TimelineEntry& entry) {
    return {{"id", entry.id},       {"ranks", entry.ranks},         {"start", entry.start},  {"end", entry.end},
            {"state", entry.state}, {"started_at", job.started_at}, {"job_ranks", job.ranks}};
}

}  // namespace

double utilisation(std::span<const TimelineEntry> timeline, int ranks) {
    if (timeline.empty()) { return 1; }
    double first = timeline.front().start;
    double last = timeline.front().end;
    double busy = 0;
    for (const TimelineEntry& entry : timeline) {
        first = std::min(first, entry.start);
        last = std::max(last, entry.end);
        busy += static_cast<double>(entry.ranks.size()) * (entry.end - entry.start);
    }
    return last > first ? busy / (ranks * (last - first)) : 1;
}

std::filesystem::path timeline_file(const std::filesystem::path& registry, std::string_view sweep) {
    return registry / "sweeps" / sweep / "timeline.jsonl";
}

void append_to_timeline(const std::filesystem::path& file, const TimelineJob& job, const TimelineEntry& entry) {
    std::error_code ignored;  // what is wrong shows when the file is opened
    std::filesystem::create_directories(file.parent_path(), ignored);
    std::ofstream out{file, std::ios::app};
    out << to_object(job, entry).dump() + "\n" << std::flush;  // one write: readers see whole lines
    if (!out) { throw Error{file.string() + ": cannot be written"}; }
}

std::vector<TimelineEntry> read_last_timeline(const std::filesystem::path& file) {
    std::ifstream in{file};
    std::vector<TimelineEntry> entries;
    std::string job;
    for (std::string line; std::getline(in, line) && !in.eof();) {
        try {
            const Json json = Json::parse(line);
            if (auto started = json.at("started_at").get<std::string>(); started != job) {
                job = std::move(started);
                entries.clear();
            }
            entries.push_back({json.at("id").get<std::string>(), json.at("ranks").get<std::vector<int>>(),
                               json.at("start").get<double>(), json.at("end").get<double>(),
                               json.at("state").get<std::string>()});
        } catch (const Json::exception&) { throw Error{file.string() + ": no line of a timeline: " + line}; }
    }
    return entries;
}

}  // namespace loglog
