#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/autograd/tape.hpp"
#include "engine/nn/decay_parameters.hpp"
#include "engine/nn/mixer.hpp"
#include "engine/nn/mixer_tables.hpp"
#include "engine/nn/parameters.hpp"

namespace loglog {

/// Linear attention with a decay per head: constant (retention, lightning) or of the token (ssd).
class DecayMixer {
  public:
    DecayMixer(std::vector<ParameterSpec>& specs, const std::string& name, const MixerOptions& options,
               const ParameterizationRule& rule);

    std::vector<CutBlock> gate_blocks() const;
    Tensor mix(Tape& tape, Parameters& parameters, const MixerInput& input, MixerTables& tables) const;
    /// One token of one sequence, at `position`.
    Tensor step(Tape& tape, Parameters& parameters, const MixerInput& input, MixerTables& tables, MixerState& state,
                std::int64_t position) const;
    void allocate(MixerState& state, Arena& arena, DType dtype) const;

  private:
    Tensor log_decays(Tape& tape, Parameters& parameters, const MixerInput& input, const MixerTables& tables) const;

    MixerOptions options_;
    std::optional<DecayParameters> decay_;  // ssd
};

}  // namespace loglog
