#include "distributed/topology/topology.hpp"

#include <string>
#include <vector>

#include "distributed/collectives/mpi_group.hpp"
#include "distributed/collectives/single_group.hpp"
#include "engine/base/error.hpp"

namespace loglog {

Topology::Topology(Reduction reduction)
    : reduction_{reduction},
      everyone_{std::make_unique<SingleGroup>()},
      tensor_{std::make_unique<SingleGroup>()},
      data_{std::make_unique<SingleGroup>()},
      pipeline_{std::make_unique<SingleGroup>()},
      ends_{std::make_unique<SingleGroup>()} {}

Topology::Topology(const Communicator& run, const Layout& layout, Reduction reduction, OperationLog* log)
    : layout_{layout}, reduction_{reduction} {
    if (run.size() != layout.ranks()) {
        throw Error{"layout " + to_string(layout) + " needs " + std::to_string(layout.ranks()) +
                    " ranks, but the run has " + std::to_string(run.size())};
    }
    place_ = place_of(layout, run.rank());
    run_ = std::make_unique<Communicator>(Communicator::duplicate(run.native()));

    const auto transfers = std::make_shared<Transfers>(log);
    int tag = 0;
    const auto group_of = [&](const char* name, const std::vector<int>& ranks) -> std::unique_ptr<MeteredGroup> {
        ++tag;
        if (ranks.size() == 1) { return std::make_unique<SingleGroup>(); }
        return make_group(run_->create_group(ranks, tag), reduction, name, transfers);
    };
    // The ranks along one axis through this rank's place.
    const auto line = [&](int Place::*axis, int extent) {
        std::vector<int> ranks;
        for (int i = 0; i < extent; ++i) {
            Place place = place_;
            place.*axis = i;
            ranks.push_back(rank_of(layout, place));
        }
        return ranks;
    };
    std::vector<int> all;
    for (int rank = 0; rank < layout.ranks(); ++rank) { all.push_back(rank); }
    const std::vector<int> stages = line(&Place::pp, layout.pp);
    const bool at_an_end = layout.pp > 1 && (first_stage() || last_stage());

    everyone_ = group_of("run's", all);
    tensor_ = group_of("tensor", line(&Place::tp, layout.tp));
    data_ = group_of("data", line(&Place::dp, layout.dp));
    pipeline_ = group_of("pipeline", stages);
    ends_ = group_of("ends'", at_an_end ? std::vector{stages.front(), stages.back()} : std::vector{run.rank()});
}

Topology::~Topology() = default;

double Topology::bytes_sent() const noexcept {
    return everyone_->bytes_sent() + tensor_->bytes_sent() + data_->bytes_sent() + pipeline_->bytes_sent() +
           ends_->bytes_sent();
}

}  // namespace loglog
