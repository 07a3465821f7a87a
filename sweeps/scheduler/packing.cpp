#include "sweeps/scheduler/packing.hpp"

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

namespace loglog {

WaitingRuns::WaitingRuns(std::span<const int> ranks) {
    for (const int count : ranks) { add(count); }
}

void WaitingRuns::add(int ranks) {
    by_ranks_[ranks].push_back(added_++);
    ++size_;
}

std::optional<std::size_t> WaitingRuns::take(int free_ranks) {
    auto first = by_ranks_.end();
    for (auto it = by_ranks_.begin(); it != by_ranks_.end() && it->first <= free_ranks; ++it) {
        if (first == by_ranks_.end() || it->second.front() < first->second.front()) { first = it; }
    }
    if (first == by_ranks_.end()) { return std::nullopt; }
    const std::size_t position = first->second.front();
    first->second.pop_front();
    if (first->second.empty()) { by_ranks_.erase(first); }
    --size_;
    return position;
}

std::vector<int> nearest_ranks(const std::set<int>& free, int count) {
    const std::vector<int> ranks(free.begin(), free.end());
    const auto wanted = static_cast<std::size_t>(count);
    std::size_t best = 0;
    for (std::size_t i = 0; i + wanted <= ranks.size(); ++i) {
        if (ranks[i + wanted - 1] - ranks[i] < ranks[best + wanted - 1] - ranks[best]) { best = i; }
    }
    const auto first = ranks.begin() + static_cast<std::ptrdiff_t>(best);
    return {first, first + count};
}

double packed_seconds(std::span<const RunLength> runs, int ranks) {
    using End = std::pair<double, int>;  // when, how many ranks
    std::vector<int> counts;
    std::vector<double> seconds;
    for (const RunLength& run : runs) {
        if (run.ranks > ranks) { continue; }
        counts.push_back(run.ranks);
        seconds.push_back(run.seconds);
    }
    WaitingRuns waiting{counts};
    std::priority_queue<End, std::vector<End>, std::greater<>> running;
    double now = 0;
    int free = ranks;
    while (true) {
        while (const auto position = waiting.take(free)) {
            free -= counts[*position];
            running.emplace(now + seconds[*position], counts[*position]);
        }
        if (running.empty()) { return now; }
        now = running.top().first;
        // All that end now, before anything starts: otherwise small runs would take the place of large ones.
        while (!running.empty() && running.top().first <= now) {
            free += running.top().second;
            running.pop();
        }
    }
}

}  // namespace loglog
