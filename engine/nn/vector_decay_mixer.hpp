#pragma once

#include <string>
#include <vector>

#include "engine/autograd/tape.hpp"
#include "engine/nn/mixer.hpp"
#include "engine/nn/mixer_tables.hpp"
#include "engine/nn/parameters.hpp"

namespace loglog {

/// Gated linear attention: a decay per key channel, from a projection of low rank (gla).
class VectorDecayMixer {
  public:
    VectorDecayMixer(std::vector<ParameterSpec>& specs, const std::string& name, const MixerOptions& options,
                     const ParameterizationRule& rule);

    std::vector<CutBlock> gate_blocks() const;
    Tensor mix(Tape& tape, Parameters& parameters, const MixerInput& input, MixerTables& tables) const;
    /// One token of one sequence, at `position`.
    Tensor step(Tape& tape, Parameters& parameters, const MixerInput& input, MixerTables& tables, MixerState& state,
                std::int64_t position) const;
    void allocate(MixerState& state, Arena& arena, DType dtype) const;

  private:
    Tensor log_decays(Tape& tape, Parameters& parameters, const MixerInput& input) const;

    MixerOptions options_;
    ParameterId weight_;
    ParameterId bias_;
};

}  // namespace loglog
