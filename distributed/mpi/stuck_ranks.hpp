#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace loglog {

/// What is known of a rank that heartbeats are expected from.
struct RankReport {
    std::string host;
    std::string place;          ///< in the layout: "dp 0, tp 1, pp 0"
    std::string operation;      ///< its last communication
    std::int64_t number = 0;    ///< of that operation
    bool waiting = false;       ///< in it, rather than computing after it
    double seconds = 0;         ///< so
    double silent_seconds = 0;  ///< since the last heartbeat
    bool finished = false;      ///< it said that it has nothing left to do
};

struct WatchdogLimits {
    double waiting_seconds = 300;  ///< longest wait in one operation
    double silent_seconds = 30;    ///< longest time without a heartbeat
    double period_seconds = 1;     ///< between heartbeats
};

/// Why the job cannot go on: names the ranks that the others wait for, then lists all. Nothing while no limit is
/// passed.
///
/// The ranks at fault are those without a heartbeat; else those that compute while others wait; else those that lag
/// behind in operations.
std::optional<std::string> describe_stuck_ranks(const std::vector<RankReport>& ranks, const WatchdogLimits& limits);

}  // namespace loglog
