#include <algorithm>

#include "engine/kernels/delta_attention.hpp"

namespace loglog {
namespace {

double tokens_of(const DeltaAttentionSizes& s) { return static_cast<double>(s.batch * s.time); }
double query_elements(const DeltaAttentionSizes& s) { return tokens_of(s) * static_cast<double>(s.heads * s.key_dim); }
double key_elements(const DeltaAttentionSizes& s) { return tokens_of(s) * static_cast<double>(s.kv_heads * s.key_dim); }
double value_elements(const DeltaAttentionSizes& s) {
    return tokens_of(s) * static_cast<double>(s.kv_heads * s.value_dim);
}
double out_elements(const DeltaAttentionSizes& s) { return tokens_of(s) * static_cast<double>(s.heads * s.value_dim); }
double state_elements(const DeltaAttentionSizes& s) { return static_cast<double>(s.key_dim * s.value_dim); }

// Products of a chunk in the form that the literature counts: with the state, 3 of rows x key_dim x value_dim; inside
// the chunk, 3 triangular ones over keys and 2 over values; and the inverse of the triangular matrix.
double forward_model_flops(const DeltaAttentionSizes& s) {
    const double keys = static_cast<double>(s.key_dim);
    const double values = static_cast<double>(s.value_dim);
    const double chunk = static_cast<double>(s.chunk);
    return tokens_of(s) * static_cast<double>(s.heads) *
           (6 * keys * values + chunk * (3 * keys + 2 * values) + chunk * chunk / 3);
}

// What is executed: `states` products with a state, and of triangular ones, done up to the end of a register block,
// `over_keys` and `over_values`; `pairs` elementwise operations per pair of tokens (an exponential counted as one).
double executed_flops(const DeltaAttentionSizes& s, double states, double over_keys, double over_values, double pairs) {
    const double keys = static_cast<double>(s.key_dim);
    const double values = static_cast<double>(s.value_dim);
    double per_sequence = 0;
    for (std::size_t first = 0; first < s.time; first += std::max<std::size_t>(1, s.chunk)) {
        const double rows = static_cast<double>(std::min(s.chunk, s.time - first));
        const double seen = rows * (rows + 8) / 2;
        per_sequence += 2 * seen * (over_keys * keys + over_values * values) + pairs * seen;
        if (first > 0) { per_sequence += 2 * states * rows * keys * values; }
    }
    return static_cast<double>(s.batch * s.heads) * per_sequence;
}

}  // namespace

template <class T>
Cost cost(const DeltaAttentionForward<T>& k) {
    const auto& s = k.inputs.sizes;
    const double gates = tokens_of(s) * static_cast<double>(s.heads) * (k.inputs.g.empty() ? 1 : 2);
    return {
        .model_flops = forward_model_flops(s),
        .hardware_flops = executed_flops(s, 3, 2, 2, 8) + 4 * (query_elements(s) + out_elements(s)) +
                          4 * tokens_of(s) * static_cast<double>(s.heads * s.key_dim),
        .bytes_read = sizeof(T) * (query_elements(s) + key_elements(s) + value_elements(s) + gates),
        .bytes_written = sizeof(T) * (out_elements(s) + static_cast<double>(k.states.size() + k.final_state.size()))};
}

template <class T>
Cost cost(const DeltaAttentionBackward<T>& k) {
    const auto& s = k.inputs.sizes;
    const double gates = tokens_of(s) * static_cast<double>(s.heads) * (k.inputs.g.empty() ? 1 : 2);
    const double states = static_cast<double>(s.saved_states()) * state_elements(s);
    return {.model_flops = 2 * forward_model_flops(s),
            .hardware_flops = executed_flops(s, 7, 6, 5, 14) + 14 * (query_elements(s) + out_elements(s)) +
                              14 * tokens_of(s) * static_cast<double>(s.heads * s.key_dim),
            .bytes_read = sizeof(T) *
                          (query_elements(s) + key_elements(s) + value_elements(s) + out_elements(s) + gates + states),
            .bytes_written = sizeof(T) * (query_elements(s) + key_elements(s) + value_elements(s) +
                                          static_cast<double>(k.d_beta.size() + k.d_g.size()))};
}

template <class T>
Cost cost(const DeltaAttentionStep<T>& k) {
    const double states = static_cast<double>(k.heads * k.key_dim * k.value_dim);
    const double heads = static_cast<double>(k.heads);
    const double inputs = static_cast<double>((k.heads + k.kv_heads) * k.key_dim + k.kv_heads * k.value_dim);
    return {.model_flops = 6 * states,
            .hardware_flops = 7 * states + 4 * heads * static_cast<double>(k.key_dim + k.value_dim),
            .bytes_read = sizeof(T) * (states + inputs + heads * (k.g.empty() ? 1 : 2)),
            .bytes_written = sizeof(T) * (states + heads * static_cast<double>(k.value_dim))};
}

template Cost cost(const DeltaAttentionForward<float>&);
template Cost cost(const DeltaAttentionForward<double>&);
template Cost cost(const DeltaAttentionBackward<float>&);
template Cost cost(const DeltaAttentionBackward<double>&);
template Cost cost(const DeltaAttentionStep<float>&);
template Cost cost(const DeltaAttentionStep<double>&);

}  // namespace loglog
