#pragma once

#include <string>
#include <vector>

#include "engine/autograd/tape.hpp"
#include "engine/nn/mixer.hpp"
#include "engine/nn/mixer_tables.hpp"
#include "engine/nn/parameters.hpp"
#include "engine/ops/attention.hpp"

namespace loglog {

/// Causal softmax attention over all earlier tokens or those that a mask or the scores choose.
class SoftmaxMixer {
  public:
    SoftmaxMixer(std::vector<ParameterSpec>& specs, const std::string& name, const MixerOptions& options,
                 const ParameterizationRule& rule);

    std::vector<CutBlock> gate_blocks() const { return {}; }
    Tensor mix(Tape& tape, Parameters& parameters, const MixerInput& input, MixerTables& tables) const;
    /// One token of one sequence, at `position`.
    Tensor step(Tape& tape, Parameters& parameters, const MixerInput& input, MixerTables& tables, MixerState& state,
                std::int64_t position) const;
    void allocate(MixerState& state, Arena& arena, std::int64_t capacity, DType dtype) const;

  private:
    AttentionOptions attention_options(const MixerInput& input, const MixerTables& tables) const;

    MixerOptions options_;
};

}  // namespace loglog
