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

/// Attention by the delta rule (deltanet), on a decayed state (gdn).
class DeltaMixer {
  public:
    DeltaMixer(std::vector<ParameterSpec>& specs, const std::string& name, const MixerOptions& options,
               const ParameterizationRule& rule);

    std::vector<CutBlock> gate_blocks() const;
    Tensor mix(Tape& tape, Parameters& parameters, const MixerInput& input, MixerTables& tables) const;
    /// One token of one sequence, at `position`.
    Tensor step(Tape& tape, Parameters& parameters, const MixerInput& input, MixerTables& tables, MixerState& state,
                std::int64_t position) const;
    void allocate(MixerState& state, Arena& arena, DType dtype) const;

  private:
    struct Gates {
        Tensor beta;
        Tensor g;  // no data: deltanet
    };
    Gates gates(Tape& tape, Parameters& parameters, const MixerInput& input) const;
    void discard(Tape& tape, const Gates& made) const;

    MixerOptions options_;
    std::optional<DecayParameters> decay_;  // gdn
};

}  // namespace loglog
