#include <cmath>
#include <limits>

#include "engine/kernels/attention.hpp"

namespace loglog {
namespace {

template <class T>
T dot(const T* a, const T* b, std::size_t n) {
    T sum = 0;
    for (std::size_t i = 0; i < n; ++i) { sum += a[i] * b[i]; }
    return sum;
}

double pairs_of(const AttentionSizes& s) {
    return static_cast<double>(s.batch * s.heads) * static_cast<double>(s.time) * static_cast<double>(s.time + 1) / 2;
}
double query_elements(const AttentionSizes& s) { return static_cast<double>(s.batch * s.time * s.heads * s.head_dim); }
double key_elements(const AttentionSizes& s) { return static_cast<double>(s.batch * s.time * s.kv_heads * s.head_dim); }
double row_count(const AttentionSizes& s) { return static_cast<double>(s.batch * s.heads * s.time); }

}  // namespace

template <class T>
Cost cost(const AttentionForward<T>& k) {
    const double pairs = pairs_of(k.sizes);
    const double products = 4 * pairs * static_cast<double>(k.sizes.head_dim);
    return {.model_flops = products,
            .hardware_flops = products + 4 * pairs,
            .bytes_read = sizeof(T) * (query_elements(k.sizes) + 2 * key_elements(k.sizes)),
            .bytes_written = sizeof(T) * (query_elements(k.sizes) + row_count(k.sizes))};
}

template <class T>
Cost cost(const AttentionBackward<T>& k) {
    const double pairs = pairs_of(k.sizes);
    const double product = 2 * pairs * static_cast<double>(k.sizes.head_dim);
    return {.model_flops = 4 * product,
            .hardware_flops = 5 * product + 4 * pairs,
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

template <class T>
void run(CpuContext& cpu, const AttentionDecode<T>& k) {
    cpu.for_each(k.heads, [&](std::size_t head) {
        const std::size_t kv = head / (k.heads / k.kv_heads);
        const T* q = k.q.data() + head * k.head_dim;
        T* out = k.out.data() + head * k.head_dim;
        T* p = cpu.scratch_of<T>(k.length);
        T largest = -std::numeric_limits<T>::infinity();
        for (std::size_t j = 0; j < k.length; ++j) {
            p[j] = k.scale * dot(q, k.k_cache.data() + (j * k.kv_heads + kv) * k.head_dim, k.head_dim);
            largest = p[j] > largest ? p[j] : largest;
        }
        T sum = 0;
        for (std::size_t j = 0; j < k.length; ++j) { sum += p[j] = std::exp(p[j] - largest); }
        for (std::size_t c = 0; c < k.head_dim; ++c) { out[c] = 0; }
        for (std::size_t j = 0; j < k.length; ++j) {
            const T* v = k.v_cache.data() + (j * k.kv_heads + kv) * k.head_dim;
            for (std::size_t c = 0; c < k.head_dim; ++c) { out[c] += p[j] / sum * v[c]; }
        }
    });
}

template Cost cost(const AttentionForward<float>&);
template Cost cost(const AttentionForward<double>&);
template Cost cost(const AttentionBackward<float>&);
template Cost cost(const AttentionBackward<double>&);
template Cost cost(const AttentionDecode<float>&);
template Cost cost(const AttentionDecode<double>&);
template void run(CpuContext&, const AttentionDecode<float>&);
template void run(CpuContext&, const AttentionDecode<double>&);

}  // namespace loglog
