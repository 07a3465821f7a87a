#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/autograd/tape.hpp"
#include "engine/nn/decay_mixer.hpp"
#include "engine/nn/delta_mixer.hpp"
#include "engine/nn/feature_mixer.hpp"
#include "engine/nn/linear_layer.hpp"
#include "engine/nn/mixer_tables.hpp"
#include "engine/nn/residual.hpp"
#include "engine/nn/softmax_mixer.hpp"
#include "engine/nn/vector_decay_mixer.hpp"

namespace loglog {

/// Attention of any kind with its projections: x -> out(gate * norm(mix(q, k, v, gates of x))).
///
/// One fused projection makes queries, keys, values and the kind's gates, [q | k | v | output gate | kind's gates]: its
/// first rows start as in every other kind, and its input's gradient is summed over ranks once. Then, where asked for:
/// a short convolution of q, k and v, normalisation of queries and keys (qk-norm), SiLU on them (lightning), rotation,
/// mixing, RMSNorm of each head's output, a sigmoid gate on it.
///
/// In a tensor-parallel model each rank has some heads with their keys, values and gates: where there are fewer kv
/// heads than leaves, each leaf has a copy of its kv head. Mixing is local.
class AttentionLayer {
  public:
    struct Options {
        std::int64_t width = 0;
        bool qkv_bias = false;
        bool output_bias = false;
        bool qk_norm = false;
        bool rotates = false;  ///< queries and keys, where the tables have a rotary table
        double norm_epsilon = 0;
        MixerOptions mixer;
    };

    AttentionLayer(std::vector<ParameterSpec>& specs, const std::string& name, const Options& options,
                   const ParameterizationRule& rule);

    /// x [sequences * time, width] -> branch.stream + scale * dropped(out(attention(x))).
    Tensor operator()(Tape& tape, Parameters& parameters, const Tensor& x, MixerTables& tables,
                      const ResidualBranch& branch) const;
    /// The same for one token at `position` of one sequence; brings the state up to date.
    Tensor decode(Tape& tape, Parameters& parameters, const Tensor& x, MixerTables& tables,
                  const ResidualBranch& branch, MixerState& state, std::int64_t position) const;
    /// The state before the first token. Softmax kinds have room for `capacity` tokens.
    MixerState make_state(Arena& arena, std::int64_t capacity, DType dtype) const;

    const MixerOptions& mixer() const noexcept { return options_.mixer; }

  private:
    struct Projected {
        Tensor fused;
        Tensor convolved;   // no data: no convolution
        Tensor normalized;  // queries and keys after qk-norm; no data without
        Tensor activated;   // queries and keys after SiLU; no data without
        Tensor output_gate;
        MixerInput input;
    };
    struct Heading {  // where queries, keys and values lie in a row
        Heads q;
        Heads k;
        Heads v;
    };

    Tensor project(Tape& tape, Parameters& parameters, const Tensor& x) const;
    Heading heading(const Tensor& rows, const LocalHeads& local) const;
    void take_gates(Tape& tape, const Parameters& parameters, Projected& projected) const;
    void finish_heads(Tape& tape, Parameters& parameters, Projected& projected, const MixerTables& tables,
                      std::int64_t first_position) const;
    Tensor normalize_queries_and_keys(Tape& tape, Parameters& parameters, const Heading& from,
                                      const LocalHeads& local) const;
    void norm_by_leaf(Tape& tape, Parameters& parameters, const Heads& from, ParameterId gain, const Heads& to,
                      const LocalHeads& local) const;
    void discard(Tape& tape, const Projected& projected) const;
    Tensor finish(Tape& tape, Parameters& parameters, const Tensor& mixed, const Projected& projected,
                  const ResidualBranch& branch) const;

    using Mixer = std::variant<SoftmaxMixer, FeatureMixer, DecayMixer, VectorDecayMixer, DeltaMixer>;

    static Mixer make_mixer(std::vector<ParameterSpec>& specs, const std::string& name, const MixerOptions& options,
                            const ParameterizationRule& rule);
    static std::vector<CutBlock> blocks(const Options& options, const Mixer& mixer);

    Options options_;
    Mixer mixer_;
    std::vector<CutBlock> blocks_;  // of the fused projection: q, k, v, then gates
    LinearLayer qkv_;
    std::optional<ParameterId> query_gain_;
    std::optional<ParameterId> key_gain_;
    std::optional<ParameterId> convolution_;
    std::optional<ParameterId> output_gain_;
    LinearLayer out_;
};

/// The heads of such a layer that lie on a rank.
LocalHeads local_heads(const MixerOptions& options, const TensorShard& shard) noexcept;

}  // namespace loglog
