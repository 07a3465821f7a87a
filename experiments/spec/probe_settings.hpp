#pragma once

#include "engine/data/probe_examples.hpp"
#include "experiments/spec/run_spec.hpp"

namespace loglog {

/// What the examples of a probe are made of. They are as long as the model's context.
ProbeSettings probe_settings(const ProbeData& probe, std::int64_t context);

/// Targets of a training sequence, on average: all its tokens, unless a probe leaves some out.
double labels_per_sequence(const RunSpec& spec);

}  // namespace loglog
