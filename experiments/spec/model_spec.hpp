#pragma once

#include <cstdint>
#include <string>

#include "engine/models/decoder_config.hpp"

namespace loglog {

enum class ModelFamily { decoder };
enum class ActivationKind { gelu, gelu_erf, relu, swiglu };  ///< gelu is the tanh form
/// Every kind of attention that a spec may name; the engine's AttentionKind holds those that can be trained.
enum class AttentionName { dense, window, strided, fixed, bigbird, moba, elu, relu, retention, ssd, gdn };

/// How tokens are mixed.
struct AttentionSpec {
    AttentionName kind = AttentionName::dense;
    std::int64_t every = 1;  ///< one layer in `every` is of this kind, the others are dense

    bool operator==(const AttentionSpec&) const = default;
};

/// The shape of a model. In an unresolved spec 0 means "derived" where the comment says from what; a resolved spec
/// (resolve()) holds no such zeros.
struct ModelSpec {
    ModelFamily family = ModelFamily::decoder;
    std::int64_t layers = 4;
    std::int64_t width = 128;
    std::int64_t heads = 0;      ///< query heads; 0: width / head_dim
    std::int64_t kv_heads = 0;   ///< key and value heads; 0: heads. Divides heads
    std::int64_t head_dim = 0;   ///< 0: width / heads; without both, 32 below width 512 and 64 from there on
    std::int64_t vocab = 0;      ///< tokens in the vocabulary; 0: the data set's
    std::int64_t context = 256;  ///< tokens per sequence
    NormKind norm = NormKind::layer;
    PositionKind positions = PositionKind::learned;
    ActivationKind activation = ActivationKind::gelu;
    std::int64_t mlp_width = 0;  ///< 0: 4 x width, or with swiglu 8/3 x width rounded to a multiple of 8
    bool tied_head = true;       ///< the output table is the token table
    bool qkv_bias = true;        ///< biases of the query, key and value projections; unless given, `bias`
    bool bias = true;            ///< every other bias: norms', output projection's, MLP's
    double dropout = 0.0;        ///< probability, in [0, 1)
    bool qk_norm = false;        ///< RMSNorm over head_dim on queries and keys
    AttentionSpec attention;

    bool operator==(const ModelSpec&) const = default;
};

std::string to_string(ModelFamily);
std::string to_string(ActivationKind);
std::string to_string(AttentionName);

}  // namespace loglog
