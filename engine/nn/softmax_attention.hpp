#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/autograd/tape.hpp"
#include "engine/nn/linear_layer.hpp"
#include "engine/nn/residual.hpp"
#include "engine/nn/rotary_table.hpp"
#include "engine/ops/heads.hpp"

namespace loglog {

/// Keys and values of past tokens of one sequence, for decoding.
struct KeyValueCache {
    Tensor keys;    ///< [capacity, kv_heads, head_dim]
    Tensor values;  ///< [capacity, kv_heads, head_dim]
};

/// Causal softmax attention over all earlier tokens. A token's queries, keys and values lie in one row
/// [heads | kv_heads | kv_heads] * head_dim of a fused projection. In a tensor-parallel model each rank has some heads
/// with their keys and values: where there are fewer kv heads than leaves, each leaf has a copy of its kv head.
class SoftmaxAttention {
  public:
    struct Options {
        std::int64_t width;
        std::int64_t heads;
        std::int64_t kv_heads;
        std::int64_t head_dim;
        bool qkv_bias;
        bool output_bias;
        bool qk_norm;
        double dropout;
        double init_std;
        double norm_epsilon;
        std::uint32_t layer;  ///< global index, for dropout
    };

    SoftmaxAttention(std::vector<ParameterSpec>& specs, const std::string& name, const Options& options,
                     const ParameterizationRule& rule);

    /// x [sequences * time, width] -> branch.stream + scale * dropped(out(attention(x))).
    Tensor operator()(Tape& tape, Parameters& parameters, const Tensor& x, const RotaryTable& rotary,
                      const ResidualBranch& branch) const;
    /// The same for one token at `position` of one sequence; appends to the cache.
    Tensor decode(Tape& tape, Parameters& parameters, const Tensor& x, const RotaryTable& rotary,
                  const ResidualBranch& branch, KeyValueCache& cache, std::int64_t position) const;
    KeyValueCache make_cache(Arena& arena, std::int64_t capacity, DType dtype) const;

  private:
    struct LocalHeads {  // of this rank
        std::int64_t heads;
        std::int64_t kv_heads;
        std::int64_t leaves;
        std::int64_t first_head;
    };
    struct Projected {  // after normalisation and rotation
        Heads q;
        Heads k;
        Heads v;
    };
    LocalHeads local_heads(const TensorShard& shard) const noexcept;
    void normalize(Tape& tape, Parameters& parameters, Projected& projected, const LocalHeads& local) const;
    Projected project(Tape& tape, Parameters& parameters, const Tensor& x, const RotaryTable& rotary, std::int64_t time,
                      std::int64_t first_position) const;
    void discard(Tape& tape, const Projected& projected) const;

    Options options_;
    double scale_;
    LinearLayer qkv_;
    std::optional<ParameterId> query_gain_;
    std::optional<ParameterId> key_gain_;
    LinearLayer out_;
};

}  // namespace loglog
