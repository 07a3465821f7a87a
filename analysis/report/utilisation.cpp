#include "analysis/report/utilisation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <map>
#include <set>

namespace loglog {
namespace {

void choose_unit(Utilisation& use, double span) {
    const double unit = span < 600 ? 1 : span < 36'000 ? 60 : 3600;
    use.unit = unit == 1 ? "seconds" : unit == 60 ? "minutes" : "hours";
    for (auto& bar : use.bars) {
        bar.start /= unit;
        bar.end /= unit;
    }
}

std::optional<Utilisation> from_timeline(const Report& report) {
    std::set<std::string> known;
    for (const auto& run : report.input.runs) { known.insert(run.record.id); }
    struct Job {
        double first = std::numeric_limits<double>::infinity(), last = 0;
        int ranks = 1;
    };
    std::map<std::string, Job> jobs;  // by start, which is their order
    for (const auto& time : report.input.timeline) {
        if (!known.contains(time.run)) { continue; }
        Job& job = jobs[time.job];
        job.first = std::min(job.first, time.start);
        job.last = std::max(job.last, time.end);
        job.ranks = std::max(job.ranks, time.job_ranks);
    }
    if (jobs.empty()) { return std::nullopt; }
    std::map<std::string, double> offset;
    double span = 0, available = 0, used = 0;
    int ranks = 0;
    for (const auto& [start, job] : jobs) {
        offset[start] = span - job.first;
        span += job.last - job.first;
        available += (job.last - job.first) * job.ranks;
        ranks = std::max(ranks, job.ranks);
    }
    Utilisation use;
    for (const auto& time : report.input.timeline) {
        if (!known.contains(time.run)) { continue; }
        for (const int rank : time.ranks) {
            used += time.end - time.start;
            use.bars.push_back({time.run, fmt::format("rank {}", rank), time.start + offset[time.job],
                                time.end + offset[time.job], time.state});
        }
    }
    for (int rank = 0; rank < ranks; ++rank) { use.lanes.push_back(fmt::format("rank {}", rank)); }
    choose_unit(use, span);
    use.description = fmt::format(
        "Each bar is the time that a run had a rank, start-up, evaluation and checkpoints included. Runs had {:.0f}% "
        "of the "
        "ranks' time between the first start and the last end of {}.",
        available > 0 ? 100 * used / available : 0.0,
        jobs.size() == 1 ? "the job" : fmt::format("each of {} jobs; the time between jobs is left out", jobs.size()));
    return use;
}

/// Bars that overlap on a host go to lanes of their own.
std::optional<Utilisation> from_hosts(const Report& report) {
    std::vector<std::pair<const RunRecord*, double>> ends;
    for (const auto& run : report.input.runs) {
        const auto end = seconds_of_utc(run.record.finished_at);
        if (end && run.record.seconds && *run.record.seconds > 0 && !run.record.host.empty()) {
            ends.emplace_back(&run.record, *end);
        }
    }
    if (ends.empty()) { return std::nullopt; }
    std::sort(ends.begin(), ends.end(), [](const auto& left, const auto& right) {
        return left.second - *left.first->seconds < right.second - *right.first->seconds;
    });
    const double first = ends.front().second - *ends.front().first->seconds;
    std::map<std::string, std::vector<double>> busy;  // host -> end of the last run of each of its lanes
    Utilisation use;
    double last = 0, used = 0;
    for (const auto& [record, end] : ends) {
        const double start = end - *record->seconds;
        auto& lanes = busy[record->host];
        std::size_t lane = 0;
        while (lane < lanes.size() && lanes[lane] > start + 1) { ++lane; }  // times are whole seconds
        if (lane == lanes.size()) { lanes.push_back(0); }
        lanes[lane] = end;
        last = std::max(last, end - first);
        used += *record->seconds;
        use.bars.push_back({record->id, fmt::format("{} / {}", record->host, lane + 1), start - first, end - first,
                            to_text(record->state)});
    }
    std::size_t count = 0;
    for (const auto& [host, lanes] : busy) {
        count += lanes.size();
        for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
            use.lanes.push_back(fmt::format("{} / {}", host, lane + 1));
        }
    }
    choose_unit(use, last);
    use.description = fmt::format(
        "No job left a timeline, so each bar is a run's training time up to its recorded end, on its host; runs that "
        "overlap have lanes of their own. The bars fill {:.0f}% of the lanes.",
        last > 0 ? 100 * used / (last * static_cast<double>(count)) : 0.0);
    return use;
}

}  // namespace

std::optional<Utilisation> utilisation_of(const Report& report) {
    auto use = from_timeline(report);
    return use ? use : from_hosts(report);
}

std::optional<double> seconds_of_utc(const std::string& text) {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    char zone = 0;
    if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%c", &year, &month, &day, &hour, &minute, &second, &zone) !=
            7 ||
        zone != 'Z') {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                           std::chrono::day{static_cast<unsigned>(day)}};
    if (!date.ok()) { return std::nullopt; }
    const auto days = std::chrono::sys_days{date}.time_since_epoch().count();
    return 86'400.0 * static_cast<double>(days) + 3600.0 * hour + 60.0 * minute + second;
}

}  // namespace loglog
