#include "apps/loglog/growing_plan.hpp"

#include <algorithm>
#include <utility>

#include "apps/loglog/sweep_state.hpp"

namespace loglog {

GrowingPlan::GrowingPlan(const SweepOptions& options, DataShelf& shelf, std::filesystem::path registry, int ranks,
                         Throughput throughput)
    : options_{options},
      shelf_{shelf},
      recorded_{recorded_losses(std::move(registry))},
      ranks_{ranks},
      throughput_{std::move(throughput)} {
    make(recorded_);
    for (const PlannedRun& run : plan_.runs) { require_trainable(run.spec); }
    for (const PlannedRun& run : plan_.runs) { known_.insert(run.id); }
    options_.force = true;  // what can be said against the plan was said
}

void GrowingPlan::make(const FindLoss& loss_of) {
    plan_ = plan_of(options_, shelf_, DataNeed::required, typical_host(ranks_, typical_flops), loss_of);
    predict(plan_, throughput_, ranks_);
}

std::vector<RunOrder> GrowingPlan::grow(SweepLedger& ledger) {
    const std::vector<std::string> notes_before = plan_.notes;
    make([&](const std::string& id) {
        const RunRecord* record = ledger.ended(id);
        return record != nullptr ? loss_of(*record) : recorded_(id);
    });
    std::vector<RunOrder> added;
    for (const std::size_t i : starting_order(plan_)) {
        const PlannedRun& run = plan_.runs[i];
        if (run.lr_known && known_.insert(run.id).second) { added.push_back(order_of(run, plan_.sweep)); }
    }
    ledger.extend(plan_, added);
    for (const std::string& note : plan_.notes) {
        if (std::find(notes_before.begin(), notes_before.end(), note) == notes_before.end()) { ledger.say(note); }
    }
    return added;
}

}  // namespace loglog
