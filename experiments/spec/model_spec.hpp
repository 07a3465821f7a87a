#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/models/decoder_config.hpp"

namespace loglog {

enum class ModelFamily { decoder };
enum class ActivationKind { gelu, gelu_erf, relu, swiglu, none };  ///< gelu is the tanh form; none: no MLP at all

/// How tokens are mixed. Keys that a kind does not read are back at their defaults in a resolved spec, so that they
/// make no difference to a run's identity.
struct AttentionSpec {
    AttentionKind kind = AttentionKind::dense;
    std::int64_t every = 1;  ///< from 2 on a hybrid: layers every, 2 every, ... (counted from 1) are `minority` instead
    AttentionKind minority = AttentionKind::dense;  ///< dense or window
    std::vector<std::string> layers =
        {};                  ///< a kind for each layer instead of kind, every and minority; empty: not given
    std::string label = {};  ///< what the run's attention is called; empty: attention_name()

    std::int64_t window = 256;       ///< window: keys seen, the query's own included; dilated: steps of `stride`
    std::int64_t sinks = 0;          ///< window: first keys that all queries see
    std::int64_t stride = 32;        ///< strided: keys seen, and distance of further ones; dilated: distance
    std::int64_t block = 64;         ///< fixed, bigbird, moba: keys in a block
    std::int64_t summary = 8;        ///< fixed: last keys of each block that all later queries see
    std::int64_t global_blocks = 1;  ///< bigbird: first blocks that all see
    std::int64_t random_blocks = 2;  ///< bigbird: drawn per layer, head and query block
    std::int64_t top_k = 4;          ///< moba: blocks seen, the query's own included
    std::int64_t features = 64;      ///< performer: random features per head
    std::string pattern = {};        ///< pattern: file that says which keys are seen; in a resolved spec its text
    std::int64_t chunk = 64;         ///< linear kinds: tokens done at once
    std::int64_t conv = -1;          ///< linear kinds: taps of the short convolution, 0: none; -1: 4 for gdn, else 0 (a
                                     ///< resolved spec says -1 only where layers of both sorts are mixed)
    std::int64_t output_gate =
        -1;  ///< linear kinds: 1 with a sigmoid gate, 0 without; -1: 1 for lightning, else 0 (like conv)
    bool negative_eigenvalues = false;  ///< deltanet, gdn: beta up to 2
    bool rotary_in_hybrid = true;       ///< whether softmax layers of a hybrid turn queries and keys by position
    bool match_parameters = true;       ///< the MLP gives up what gates and convolutions add, unless mlp_width is given

    bool operator==(const AttentionSpec&) const = default;
};

/// "gdn", or "gdn-3:1" for three layers of it to one dense layer, "gdn-3:1-window" where that one is a window, "mixed"
/// for a list; the label where there is one. What the registry's column `attention` holds.
std::string attention_name(const AttentionSpec& attention);

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
    /// 0: 4 x width, or with swiglu 8/3 x width rounded to a multiple of 8; without an MLP 0. With
    /// attention.match_parameters layers have less where their attention has more: see engine's mlp_width().
    std::int64_t mlp_width = 0;
    bool tied_head = true;  ///< the output table is the token table
    bool qkv_bias = true;   ///< biases of the query, key and value projections; unless given, `bias`
    bool bias = true;       ///< every other bias: norms', output projection's, MLP's
    double dropout = 0.0;   ///< probability, in [0, 1)
    bool qk_norm = false;   ///< RMSNorm over head_dim on queries and keys
    AttentionSpec attention;

    bool operator==(const ModelSpec&) const = default;
};

/// The kind of each layer: from attention.layers, or kind with every `every`-th layer replaced by minority. Names in
/// attention.layers that are no kind count as dense: check() reports them.
std::vector<AttentionKind> layer_kinds(const ModelSpec& model);

/// mlp_width where none is given.
std::int64_t default_mlp_width(const ModelSpec& model);

std::string to_string(ModelFamily);
std::string to_string(ActivationKind);

}  // namespace loglog
