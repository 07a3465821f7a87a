#pragma once

#include <string>
#include <vector>

#include "engine/autograd/tape.hpp"
#include "engine/nn/mixer.hpp"
#include "engine/nn/mixer_tables.hpp"
#include "engine/nn/parameters.hpp"
#include "engine/ops/feature_attention.hpp"

namespace loglog {

/// Linear attention of a feature map: elu, relu, performer and cosformer.
class FeatureMixer {
  public:
    FeatureMixer(std::vector<ParameterSpec>& specs, const std::string& name, const MixerOptions& options,
                 const ParameterizationRule& rule);

    std::vector<CutBlock> gate_blocks() const;
    Tensor mix(Tape& tape, Parameters& parameters, const MixerInput& input, MixerTables& tables) const;
    /// One token of one sequence, at `position`.
    Tensor step(Tape& tape, Parameters& parameters, const MixerInput& input, MixerTables& tables, MixerState& state,
                std::int64_t position) const;
    void allocate(MixerState& state, Arena& arena, DType dtype) const;

  private:
    struct Features {
        Heads q;
        Heads k;
    };
    Features features(Tape& tape, const MixerInput& input, const MixerTables& tables,
                      std::int64_t first_position) const;
    void discard(Tape& tape, const Features& made) const;
    FeatureAttentionOptions attention_options(const MixerInput& input) const;

    MixerOptions options_;
};

}  // namespace loglog
