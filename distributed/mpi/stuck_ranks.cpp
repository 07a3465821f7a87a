#include "distributed/mpi/stuck_ranks.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <limits>

namespace loglog {
namespace {

std::string seconds(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f s", value);
    return text;
}

struct Finding {
    std::vector<std::size_t> ranks;
    std::string reason;
};

Finding find_culprits(const std::vector<RankReport>& ranks, const WatchdogLimits& limits) {
    const auto those = [&](const std::function<bool(const RankReport&)>& which) {
        std::vector<std::size_t> found;
        for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
            if (!ranks[rank].finished && which(ranks[rank])) { found.push_back(rank); }
        }
        return found;
    };
    // A few heartbeats are never lost together, whatever the limit.
    const double silent = std::min(limits.silent_seconds, 4 * limits.period_seconds);
    if (auto found = those([&](const auto& rank) { return rank.silent_seconds > silent; }); !found.empty()) {
        return {std::move(found), "no sign of life: stopped, dead or cut off from the network"};
    }
    // The longest-computing ranks: others may have been let go on a moment ago.
    double longest = 0;
    for (const RankReport& rank : ranks) {
        if (!rank.waiting && !rank.finished) { longest = std::max(longest, rank.seconds); }
    }
    if (auto found = those([&](const auto& rank) { return !rank.waiting && rank.seconds >= longest / 2; });
        !found.empty()) {
        return {std::move(found), "computing, or stuck outside of communication, while others wait"};
    }
    auto behind = std::numeric_limits<std::int64_t>::max();
    for (const RankReport& rank : ranks) {
        if (!rank.finished) { behind = std::min(behind, rank.number); }
    }
    return {those([&](const auto& rank) { return rank.number == behind; }),
            "all ranks wait, and this is the earliest operation"};
}

std::string line(std::size_t rank, const RankReport& report) {
    std::string text = "  rank " + std::to_string(rank) + " (" + report.host;
    if (!report.place.empty()) { text += ", " + report.place; }
    if (report.finished) { return text + "): finished\n"; }
    text += "): " + std::string{report.waiting ? "waiting for " : "computing for "} + seconds(report.seconds) +
            (report.waiting ? " in " : " since ") + report.operation;
    if (report.number > 0) { text += ", operation " + std::to_string(report.number); }
    return text + "; heartbeat " + seconds(report.silent_seconds) + " ago\n";
}

}  // namespace

std::optional<std::string> describe_stuck_ranks(const std::vector<RankReport>& ranks, const WatchdogLimits& limits) {
    const bool stuck = std::ranges::any_of(ranks, [&](const RankReport& rank) {
        if (rank.finished) { return false; }
        return (rank.waiting && rank.seconds > limits.waiting_seconds) || rank.silent_seconds > limits.silent_seconds;
    });
    if (!stuck) { return std::nullopt; }
    const auto [culprits, reason] = find_culprits(ranks, limits);
    std::string text = "the job is stuck at rank";
    if (culprits.size() > 1) { text += "s"; }
    for (std::size_t i = 0; i < culprits.size(); ++i) { text += (i == 0 ? " " : ", ") + std::to_string(culprits[i]); }
    text += " (" + reason + "). Last heard of the ranks:\n";
    for (std::size_t rank = 0; rank < ranks.size(); ++rank) { text += line(rank, ranks[rank]); }
    return text;
}

}  // namespace loglog
