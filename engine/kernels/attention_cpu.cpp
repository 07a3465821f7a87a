#include <cmath>
#include <limits>

#include "engine/kernels/attention.hpp"
#include "engine/kernels/dropout_numbers.hpp"

namespace loglog {
namespace {

template <class T>
T dot(const T* a, const T* b, std::size_t n) {
    T sum = 0;
    for (std::size_t i = 0; i < n; ++i) { sum += a[i] * b[i]; }
    return sum;
}

template <class T>
void drop(const AttentionDropout& dropout, const DropoutNumbers& numbers, std::size_t sequence, std::size_t query,
          T* p) {
    const T kept = T{1} / (T{1} - static_cast<T>(dropout.probability));
    for (std::size_t j = 0; j <= query; j += 4) {
        const auto factors = numbers.factors<T>(j / 4, query, dropout.first_sequence + sequence, kept);
        for (std::size_t i = j; i <= query && i < j + 4; ++i) { p[i] *= factors[i - j]; }
    }
}

template <class T>
void forward_head(CpuContext& cpu, const AttentionForward<T>& k, std::size_t sequence, std::size_t head) {
    const auto& s = k.sizes;
    const std::size_t kv = head / (s.heads / s.kv_heads) * s.head_dim;
    const DropoutNumbers numbers = dropout_numbers(k.dropout, head);
    T* p = cpu.scratch_of<T>(s.time);
    for (std::size_t i = 0; i < s.time; ++i) {
        const std::size_t row = sequence * s.time + i;
        T largest = -std::numeric_limits<T>::infinity();
        for (std::size_t j = 0; j <= i; ++j) {
            p[j] = k.scale * dot(k.q.data + row * k.q.token_stride + head * s.head_dim,
                                 k.k.data + (sequence * s.time + j) * k.k.token_stride + kv, s.head_dim);
            largest = p[j] > largest ? p[j] : largest;
        }
        T sum = 0;
        for (std::size_t j = 0; j <= i; ++j) { sum += p[j] = std::exp(p[j] - largest); }
        k.lse[(sequence * s.heads + head) * s.time + i] = largest + std::log(sum);
        if (k.dropout.probability > 0) { drop(k.dropout, numbers, sequence, i, p); }
        T* out = k.out.data + row * k.out.token_stride + head * s.head_dim;
        for (std::size_t c = 0; c < s.head_dim; ++c) { out[c] = 0; }
        for (std::size_t j = 0; j <= i; ++j) {
            const T* v = k.v.data + (sequence * s.time + j) * k.v.token_stride + kv;
            for (std::size_t c = 0; c < s.head_dim; ++c) { out[c] += p[j] / sum * v[c]; }
        }
    }
}

template <class T>
void backward_head(CpuContext& cpu, const AttentionBackward<T>& k, std::size_t sequence, std::size_t head) {
    const auto& s = k.sizes;
    const std::size_t kv = head / (s.heads / s.kv_heads) * s.head_dim;
    const DropoutNumbers numbers = dropout_numbers(k.dropout, head);
    T* kept = cpu.scratch_of<T>(s.time);
    for (std::size_t i = 0; i < s.time; ++i) {
        const std::size_t row = sequence * s.time + i;
        const T* q = k.q.data + row * k.q.token_stride + head * s.head_dim;
        const T* d_out = k.d_out.data + row * k.d_out.token_stride + head * s.head_dim;
        T* dq = k.dq.data + row * k.dq.token_stride + head * s.head_dim;
        const T lse = k.lse[(sequence * s.heads + head) * s.time + i];
        const T delta = dot(d_out, k.out.data + row * k.out.token_stride + head * s.head_dim, s.head_dim);
        for (std::size_t j = 0; j <= i; ++j) { kept[j] = 1; }
        if (k.dropout.probability > 0) { drop(k.dropout, numbers, sequence, i, kept); }
        for (std::size_t c = 0; c < s.head_dim; ++c) { dq[c] = 0; }
        for (std::size_t j = 0; j <= i; ++j) {
            const std::size_t other = sequence * s.time + j;
            const T* key = k.k.data + other * k.k.token_stride + kv;
            T* dk = k.dk.data + other * k.dk.token_stride + kv;
            T* dv = k.dv.data + other * k.dv.token_stride + kv;
            const T p = std::exp(k.scale * dot(q, key, s.head_dim) - lse);
            const T dp = kept[j] * dot(d_out, k.v.data + other * k.v.token_stride + kv, s.head_dim);
            const T ds = k.scale * p * (dp - delta);
            for (std::size_t c = 0; c < s.head_dim; ++c) {
                dv[c] += p * kept[j] * d_out[c];
                dk[c] += ds * q[c];
                dq[c] += ds * key[c];
            }
        }
    }
}

}  // namespace

template <class T>
void run(CpuContext& cpu, const AttentionForward<T>& k) {
    cpu.for_each(k.sizes.batch * k.sizes.heads,
                 [&](std::size_t index) { forward_head(cpu, k, index / k.sizes.heads, index % k.sizes.heads); });
}

template <class T>
void run(CpuContext& cpu, const AttentionBackward<T>& k) {
    const auto& s = k.sizes;
    cpu.for_each(s.batch * s.kv_heads, [&](std::size_t index) {
        const std::size_t sequence = index / s.kv_heads;
        const std::size_t group = s.heads / s.kv_heads;
        const std::size_t kv = index % s.kv_heads;
        for (std::size_t j = 0; j < s.time; ++j) {
            for (std::size_t c = 0; c < s.head_dim; ++c) {
                k.dk.data[(sequence * s.time + j) * k.dk.token_stride + kv * s.head_dim + c] = 0;
                k.dv.data[(sequence * s.time + j) * k.dv.token_stride + kv * s.head_dim + c] = 0;
            }
        }
        for (std::size_t head = kv * group; head < (kv + 1) * group; ++head) { backward_head(cpu, k, sequence, head); }
    });
}

namespace {

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
template void run(CpuContext&, const AttentionForward<float>&);
template void run(CpuContext&, const AttentionForward<double>&);
template void run(CpuContext&, const AttentionBackward<float>&);
template void run(CpuContext&, const AttentionBackward<double>&);
template void run(CpuContext&, const AttentionDecode<float>&);
template void run(CpuContext&, const AttentionDecode<double>&);

}  // namespace loglog
