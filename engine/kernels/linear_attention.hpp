#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/kernels/attention.hpp"
#include "engine/kernels/context.hpp"
#include "engine/kernels/feature_attention.hpp"

namespace loglog {

/// Query head h reads key/value head h / (heads / kv_heads).
struct LinearAttentionSizes {
    std::size_t batch = 0;
    std::size_t time = 0;
    std::size_t heads = 0;
    std::size_t kv_heads = 0;
    std::size_t key_dim = 0;
    std::size_t value_dim = 0;
    std::size_t chunk = 64;  ///< tokens whose products are done at once
};

/// Natural logarithms of the decays, at most 0: head h of token row r has values[r * token_stride + h].
template <class T>
struct LogDecays {
    const T* values = nullptr;     ///< none: nothing decays
    std::size_t token_stride = 0;  ///< 0: the same for all tokens
};

/// What the sum over the past is divided by: n_i = sum_j (phi(q_i) . phi(k_j)) D_ij, made positive by `epsilon`.
template <class T>
struct Normalizers {
    std::span<T> values = {};  ///< [batch, heads, time], kept for the backward pass; none: not divided
    double epsilon = 0;
    bool clamp = false;  ///< max(n, epsilon) instead of n + epsilon
};

template <class T>
struct LinearAttentionInputs {
    LinearAttentionSizes sizes;
    HeadsView<const T> q;  // heads of key_dim channels
    HeadsView<const T> k;  // kv_heads of key_dim
    HeadsView<const T> v;  // kv_heads of value_dim
    FeatureMap map = FeatureMap::identity;
    double scale = 1;  // of phi(q)
    LogDecays<T> g = {};
    /// [batch * time] or none: the place in its sequence of the first token of each token's document.
    std::span<const std::int32_t> document_start = {};
};

/// Causal linear attention in chunks: out_i = sum_{j <= i} scale (phi(q_i) . phi(k_j)) D_ij v_j / n_i, where D_ij is
/// the product of exp(g_u) over j < u <= i, and 0 where a document starts between j and i. Inside a chunk that is a
/// product of triangular matrices; chunks before it are in the state S = sum_j D_ij phi(k_j) v_j^T. Products of factors
/// of at most 1 take the place of exponentials of differences, so nothing overflows and a document's start is a factor
/// 0. Katharopoulos et al. 2020, arXiv:2006.16236; Dao and Gu 2024, arXiv:2405.21060, sec. 6.
template <class T>
struct LinearAttentionForward {
    LinearAttentionInputs<T> in;
    HeadsView<T> out;  // heads of value_dim channels
    Normalizers<T> normalizers = {};
};

/// Gradients of LinearAttentionForward, overwritten. dk and dv sum over their group's query heads in head order. The
/// states before each chunk are computed again, into scratch.
template <class T>
struct LinearAttentionBackward {
    LinearAttentionInputs<T> in;
    HeadsView<const T> out;  // read only where there are normalizers
    Normalizers<const T> normalizers;
    HeadsView<const T> d_out;
    HeadsView<T> dq;
    HeadsView<T> dk;
    HeadsView<T> dv;
    std::span<T> dg = {};  // [batch * time, heads] or none
    bool accumulate_dg = false;
};

/// One token of one sequence against the state that holds its past, which is brought up to date.
template <class T>
struct LinearAttentionStep {
    LinearAttentionInputs<T> in;  // batch and time 1
    HeadsView<T> out;
    std::span<T> state;       // [heads, key_dim, value_dim]
    std::span<T> normalizer;  // [heads, key_dim]: the sum of phi(k); none: not divided
    double epsilon = 0;
    bool clamp = false;
};

/// model_flops: heads * (4 key_dim value_dim + (chunk + 1)(key_dim + value_dim) + 4 key_dim if divided) a token, twice
/// that backward. A chunk is never longer than a sequence.
template <class T>
Cost cost(const LinearAttentionForward<T>&);
template <class T>
Cost cost(const LinearAttentionBackward<T>&);
template <class T>
Cost cost(const LinearAttentionStep<T>&);
template <class T>
void run(CpuContext&, const LinearAttentionForward<T>&);
template <class T>
void run(CpuContext&, const LinearAttentionBackward<T>&);
template <class T>
void run(CpuContext&, const LinearAttentionStep<T>&);

}  // namespace loglog
