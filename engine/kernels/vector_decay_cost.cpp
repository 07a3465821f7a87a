#include <algorithm>

#include "engine/kernels/vector_decay_attention.hpp"
#include "engine/kernels/vector_decay_workspace.hpp"

namespace loglog {
namespace {

struct Extents {
    double tokens;  // times heads
    double kv_tokens;
    double key_dim;
    double value_dim;
    double chunk;

    explicit Extents(const LinearAttentionSizes& s)
        : tokens{static_cast<double>(s.batch * s.time * s.heads)},
          kv_tokens{static_cast<double>(s.batch * s.time * s.kv_heads)},
          key_dim{static_cast<double>(s.key_dim)},
          value_dim{static_cast<double>(s.value_dim)},
          chunk{static_cast<double>(DecayBlocks{s}.chunk)} {}

    double model_flops() const { return tokens * (4 * key_dim * value_dim + (chunk + 1) * (key_dim + value_dim)); }
    double inputs() const { return tokens * 2 * key_dim + kv_tokens * (key_dim + value_dim); }
};

constexpr double block = decay_block;

// Per token: the scores of a block, whole, at 4 a pair and channel (a key decays and is multiplied); decays with an
// exponential counted as one.
double score_flops(const Extents& e) { return (4 * block + 6) * e.key_dim; }
// A product with or into the state, and what its decay takes.
double state_flops(const Extents& e) { return 2 * e.key_dim * e.value_dim; }
double rescale_flops(const Extents& e) { return e.key_dim * e.value_dim / block; }

}  // namespace

template <class T>
Cost cost(const VectorDecayForward<T>& k) {
    const Extents e{k.in.sizes};
    const double flops = 2 * state_flops(e) + rescale_flops(e) + score_flops(e) + (block + 1) * e.value_dim;
    return {.model_flops = e.model_flops(),
            .hardware_flops = e.tokens * flops,
            .bytes_read = sizeof(T) * e.inputs(),
            .bytes_written = sizeof(T) * e.tokens * e.value_dim};
}

template <class T>
Cost cost(const VectorDecayBackward<T>& k) {
    const Extents e{k.in.sizes};
    // Through the states: those again, dq, dk, dv and the states' gradients. Inside a block: scores again, their
    // gradients, dv, and 3 a pair and channel each for dq and dk.
    const double inside = score_flops(e) + 2 * block * e.value_dim + (block + 1) * (e.value_dim + 3 * e.key_dim);
    const double decays = k.dg == nullptr ? 0 : 4 * e.key_dim + 2 * e.key_dim * e.value_dim / e.chunk;
    const double written = k.dg == nullptr ? 0 : e.tokens * e.key_dim;
    return {.model_flops = 2 * e.model_flops(),
            .hardware_flops = e.tokens * (5 * state_flops(e) + 2 * rescale_flops(e) + inside + decays),
            .bytes_read = sizeof(T) * (2 * e.inputs() + e.tokens * e.value_dim + (k.accumulate_dg ? written : 0)),
            .bytes_written = sizeof(T) * (e.tokens * e.key_dim + e.kv_tokens * (e.key_dim + e.value_dim) + written)};
}

template <class T>
Cost cost(const VectorDecayStep<T>& k) {
    const Extents e{k.in.sizes};
    const double state = static_cast<double>(k.in.sizes.heads) * e.key_dim * e.value_dim;
    return {.model_flops = 4 * state,
            .hardware_flops = 5 * state,
            .bytes_read = sizeof(T) * (e.inputs() + state),
            .bytes_written = sizeof(T) * (e.tokens * e.value_dim + state)};
}

template Cost cost(const VectorDecayForward<float>&);
template Cost cost(const VectorDecayForward<double>&);
template Cost cost(const VectorDecayBackward<float>&);
template Cost cost(const VectorDecayBackward<double>&);
template Cost cost(const VectorDecayStep<float>&);
template Cost cost(const VectorDecayStep<double>&);

}  // namespace loglog
