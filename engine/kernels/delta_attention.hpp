#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/kernels/attention.hpp"
#include "engine/kernels/context.hpp"

namespace loglog {

/// Query head h reads key/value head h / (heads / kv_heads).
struct DeltaAttentionSizes {
    std::size_t batch = 0;
    std::size_t time = 0;
    std::size_t heads = 0;
    std::size_t kv_heads = 0;
    std::size_t key_dim = 0;
    std::size_t value_dim = 0;
    std::size_t chunk = 0;  ///< tokens done at once: part of what the bits depend on

    std::size_t chunks() const noexcept { return chunk == 0 ? 0 : (time + chunk - 1) / chunk; }
    /// States between chunks that the backward pass reads: those before every chunk but a sequence's first.
    std::size_t saved_states() const noexcept { return chunks() < 2 ? 0 : batch * heads * (chunks() - 1); }
};

/// What the forward and the backward pass read. beta lies in [0, 2]; g has natural logarithms of decays, finite and at
/// most 0.
template <class T>
struct DeltaAttentionInputs {
    DeltaAttentionSizes sizes;
    HeadsView<const T> q;  // raw: the kernel scales each vector to unit length
    HeadsView<const T> k;  // likewise
    HeadsView<const T> v;
    std::span<const T> beta;                       // [batch, time, heads]
    std::span<const T> g;                          // [batch, time, heads], or empty: no decay
    std::span<const std::int32_t> document_start;  // [batch, time], or empty: one document a sequence
    T scale;
};

/// What is added to |x|^2 when x is scaled to unit length.
inline constexpr double delta_norm_epsilon = 1e-6;

/// Attention by the gated delta rule: with S' = exp(g_t) S_{t-1}, or 0 at a document's first token, and q, k of unit
/// length, u_t = beta_t (v_t - S'^T k_t), S_t = S' + k_t u_t^T, out_t = scale S_t^T q_t.
///
/// In chunks (the WY form of Yang et al. 2024, arXiv:2406.06484, sec. 3.2, with the decays of arXiv:2412.06464, sec.
/// 3.3): with G the running sum of g since the chunk or the document began, D_ij = exp(G_i - G_j) for j <= i of the
/// same document, and a_i = exp(G_i) where the document began before the chunk, else 0, the u of a chunk solve
/// (I + M) u = beta (v - a K S), M_ij = beta_i (k_i . k_j) D_ij for j < i, by forward substitution.
template <class T>
struct DeltaAttentionForward {
    DeltaAttentionInputs<T> inputs;
    HeadsView<T> out;
    std::span<T> states = {};       // [batch, heads, chunks - 1, key_dim, value_dim] for the backward pass, or empty
    std::span<T> final_state = {};  // [batch, heads, key_dim, value_dim] after the last token, or empty
};

/// Gradients of DeltaAttentionForward. Those of q, k and v are overwritten, dk and dv summed over their group's query
/// heads in head order.
template <class T>
struct DeltaAttentionBackward {
    DeltaAttentionInputs<T> inputs;
    std::span<const T> states;
    HeadsView<const T> d_out;
    HeadsView<T> dq;
    HeadsView<T> dk;
    HeadsView<T> dv;
    std::span<T> d_beta;  // [batch, time, heads], or empty
    std::span<T> d_g;     // likewise
    bool accumulate_d_beta = false;
    bool accumulate_d_g = false;
};

/// One token of one sequence.
template <class T>
struct DeltaAttentionStep {
    std::size_t heads;
    std::size_t kv_heads;
    std::size_t key_dim;
    std::size_t value_dim;
    const T* q;               // [heads, key_dim], raw
    const T* k;               // [kv_heads, key_dim], raw
    const T* v;               // [kv_heads, value_dim]
    std::span<const T> beta;  // [heads]
    std::span<const T> g;     // [heads], or empty
    std::span<T> state;       // [heads, key_dim, value_dim], brought up to date
    T* out;                   // [heads, value_dim]
    T scale;
};

template <class T>
Cost cost(const DeltaAttentionForward<T>&);
template <class T>
Cost cost(const DeltaAttentionBackward<T>&);
template <class T>
Cost cost(const DeltaAttentionStep<T>&);
template <class T>
void run(CpuContext&, const DeltaAttentionForward<T>&);
template <class T>
void run(CpuContext&, const DeltaAttentionBackward<T>&);
template <class T>
void run(CpuContext&, const DeltaAttentionStep<T>&);

}  // namespace loglog
