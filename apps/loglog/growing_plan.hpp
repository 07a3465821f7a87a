#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "apps/loglog/sweep_ledger.hpp"
#include "apps/loglog/sweep_options.hpp"

namespace loglog {

/// The plan of a sweep that runs. One of kind attention grows while learning rates are found; any other stays as it is.
/// Nothing is kept but the runs themselves: the plan is made anew from their results.
class GrowingPlan {
  public:
    /// Throws what plan_of() throws, and InputError for runs that cannot be trained.
    GrowingPlan(const SweepOptions& options, DataShelf& shelf, std::filesystem::path registry, int ranks,
                Throughput throughput);

    const Plan& plan() const noexcept { return plan_; }
    bool may_grow() const { return plan_.kind == SweepKind::attention; }
    /// Makes the plan again, tells the ledger, and returns the runs that are new, in starting_order().
    std::vector<RunOrder> grow(SweepLedger& ledger);

  private:
    void make(const FindLoss& loss_of);

    SweepOptions options_;
    DataShelf& shelf_;
    FindLoss recorded_;
    int ranks_;
    Throughput throughput_;
    Plan plan_;
    std::set<std::string> known_;  // ids
};

}  // namespace loglog
