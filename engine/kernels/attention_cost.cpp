#include "engine/kernels/attention.hpp"

namespace loglog {
namespace {

// Pairs of a query and a key that it sees.
double pairs_of(const AttentionSizes& s) {
    return static_cast<double>(s.batch * s.heads) * static_cast<double>(s.time) * static_cast<double>(s.time + 1) / 2;
}
// What is executed of them: register blocks of 8 queries by 16 keys that reach the diagonal, both halves of those on it
// (n rows of blocks have floor((n + 1)^2 / 4) blocks). Other instruction sets differ by a few per cent.
double executed_pairs_of(const AttentionSizes& s) {
    const std::size_t n = (s.time + 7) / 8;
    return static_cast<double>(s.batch * s.heads) * 128 * static_cast<double>((n + 1) * (n + 1) / 4);
}
double query_elements(const AttentionSizes& s) { return static_cast<double>(s.batch * s.time * s.heads * s.head_dim); }
double key_elements(const AttentionSizes& s) { return static_cast<double>(s.batch * s.time * s.kv_heads * s.head_dim); }
double row_count(const AttentionSizes& s) { return static_cast<double>(s.batch * s.heads * s.time); }

}  // namespace

template <class T>
Cost cost(const AttentionForward<T>& k) {
    const double pairs = pairs_of(k.sizes);
    const double executed = executed_pairs_of(k.sizes);
    const double dim = static_cast<double>(k.sizes.head_dim);
    // Per pair that is executed: two products, and for the softmax 4 (an exponential counted as one).
    return {.model_flops = 4 * pairs * dim,
            .hardware_flops = executed * (4 * dim + 4),
            .bytes_read = sizeof(T) * (query_elements(k.sizes) + 2 * key_elements(k.sizes)),
            .bytes_written = sizeof(T) * (query_elements(k.sizes) + row_count(k.sizes))};
}

template <class T>
Cost cost(const AttentionBackward<T>& k) {
    const double pairs = pairs_of(k.sizes);
    const double executed = executed_pairs_of(k.sizes);
    const double dim = static_cast<double>(k.sizes.head_dim);
    // Five products, one of them the scores' again.
    return {.model_flops = 8 * pairs * dim,
            .hardware_flops = executed * (10 * dim + 4),
            .bytes_read = sizeof(T) * (3 * query_elements(k.sizes) + 2 * key_elements(k.sizes) + row_count(k.sizes)),
            .bytes_written = sizeof(T) * (query_elements(k.sizes) + 2 * key_elements(k.sizes))};
}

template <class T>
Cost cost(const AttentionDecode<T>& k) {
    const double pairs = static_cast<double>(k.heads * k.length);
    const double products = 4 * pairs * static_cast<double>(k.head_dim);
    return {.model_flops = products,
            .hardware_flops = products + 4 * pairs,
            .bytes_read = sizeof(T) * static_cast<double>(k.q.size() + 2 * k.length * k.kv_heads * k.head_dim),
            .bytes_written = sizeof(T) * static_cast<double>(k.out.size())};
}

template Cost cost(const AttentionForward<float>&);
template Cost cost(const AttentionForward<double>&);
template Cost cost(const AttentionBackward<float>&);
template Cost cost(const AttentionBackward<double>&);
template Cost cost(const AttentionDecode<float>&);
template Cost cost(const AttentionDecode<double>&);

}  // namespace loglog
