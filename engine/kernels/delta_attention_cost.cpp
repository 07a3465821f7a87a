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
// A chunk is no longer than the sequence.
double forward_model_flops(const DeltaAttentionSizes& s) {
    const double keys = static_cast<double>(s.key_dim);
    const double values = static_cast<double>(s.value_dim);
    const double chunk = static_cast<double>(std::min(s.chunk, s.time));
    return tokens_of(s) * static_cast<double>(s.heads) *
           (6 * keys * values + chunk * (3 * keys + 2 * values) + chunk * chunk / 3);
}

/// How often a pass does each kind of product.
struct Products {
    double states;             // with a state
    double pairs_over_keys;    // pairs of tokens, summed over the channels of keys
    double pairs_over_values;  // likewise of values
    double rows_of_keys;       // triangle times keys
    double rows_of_values;     // triangle times values, or a solve
    double elementwise;        // operations per pair, an exponential counted as one
};

// Pairs that are computed: blocks of 12 rows by 32 columns that reach the diagonal (columns come in 16s). Other
// instruction sets differ by a few per cent.
double computed_pairs(std::size_t rows) {
    const std::size_t columns = (rows + 15) / 16 * 16;
    std::size_t pairs = 0;
    for (std::size_t column = 0; column < columns; column += 32) {
        pairs += std::min<std::size_t>(32, columns - column) * (rows - column / 12 * 12);
    }
    return static_cast<double>(pairs);
}

double chunk_flops(const DeltaAttentionSizes& s, const Products& p, std::size_t rows, bool first) {
    const double keys = static_cast<double>(s.key_dim);
    const double values = static_cast<double>(s.value_dim);
    const double tokens = static_cast<double>(rows);
    const double triangle = tokens * (tokens + 6) / 2;  // to the end of a block of 6 rows
    return 2 * computed_pairs(rows) * (p.pairs_over_keys * keys + p.pairs_over_values * values) +
           2 * triangle * (p.rows_of_keys * keys + p.rows_of_values * values) + p.elementwise * triangle +
           (first ? 0 : 2 * p.states * tokens * keys * values);
}

double executed_flops(const DeltaAttentionSizes& s, const Products& p) {
    if (s.chunks() == 0) { return 0; }
    const double whole = static_cast<double>(s.chunks() - 1);
    const std::size_t last = s.time - (s.chunks() - 1) * s.chunk;
    double flops = chunk_flops(s, p, last, s.chunks() == 1);
    if (s.chunks() > 1) { flops += chunk_flops(s, p, s.chunk, true) + (whole - 1) * chunk_flops(s, p, s.chunk, false); }
    return static_cast<double>(s.batch * s.heads) * flops;
}

constexpr Products forward_products{3, 2, 0, 0, 2, 8};
constexpr Products backward_products{7, 2, 2, 4, 3, 14};

}  // namespace

template <class T>
Cost cost(const DeltaAttentionForward<T>& k) {
    const auto& s = k.inputs.sizes;
    const double gates = tokens_of(s) * static_cast<double>(s.heads) * (k.inputs.g.empty() ? 1 : 2);
    return {
        .model_flops = forward_model_flops(s),
        .hardware_flops = executed_flops(s, forward_products) + 4 * (query_elements(s) + out_elements(s)) +
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
            .hardware_flops = executed_flops(s, backward_products) + 14 * (query_elements(s) + out_elements(s)) +
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
