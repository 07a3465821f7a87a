#pragma once

#include <map>
#include <string>

#include "experiments/run/estimate.hpp"
#include "experiments/spec/run_spec.hpp"

namespace loglog::detail {

/// Costs of the models seen so far: runs that differ in tokens, seed or learning rate alone are counted once.
class CostBook {
  public:
    const RunCost& cost(const RunSpec& resolved) {
        RunSpec model;
        model.model = resolved.model;
        model.train.batch_tokens = resolved.train.batch_tokens;
        model.train.micro_batch = resolved.train.micro_batch;
        model.train.z_loss = resolved.train.z_loss;
        const auto [entry, is_new] = costs_.try_emplace(to_json(model));
        if (is_new) { entry->second = estimate(resolved); }
        return entry->second;
    }

  private:
    std::map<std::string, RunCost> costs_;
};

}  // namespace loglog::detail
