#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

namespace loglog {

/// Runs of different rank counts that wait for ranks, in the order in which they should start.
class WaitingRuns {
  public:
    /// `ranks` of each run; a run is known by its position there.
    explicit WaitingRuns(std::span<const int> ranks);

    /// One more run, behind the others. Its position is the number of runs that were ever added before it.
    void add(int ranks);

    /// Takes out the first run that `free_ranks` ranks are enough for; nothing when none of them is.
    std::optional<std::size_t> take(int free_ranks);

    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }

  private:
    std::map<int, std::deque<std::size_t>> by_ranks_;
    std::size_t size_ = 0;
    std::size_t added_ = 0;
};

/// `count` of the free ranks, ascending: those nearest to each other, the lowest such. Ranks of a run exchange much,
/// and neighbours share a host. `free` holds at least `count` ranks.
std::vector<int> nearest_ranks(const std::set<int>& free, int count);

/// Seconds until the last run is over when runs start in the order given, each as soon as enough of `ranks` ranks are
/// free for it, and smaller ones ahead of those that have to wait. Runs of more than `ranks` ranks are left out.
struct RunLength {
    int ranks = 1;
    double seconds = 0;
};
double packed_seconds(std::span<const RunLength> runs, int ranks);

}  // namespace loglog
