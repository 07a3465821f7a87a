#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/kernels/attention.hpp"
#include "engine/kernels/context.hpp"
#include "engine/kernels/linear_attention.hpp"

namespace loglog {

template <class T>
struct VectorDecayInputs {
    LinearAttentionSizes sizes;
    HeadsView<const T> q;  // heads of key_dim channels
    HeadsView<const T> k;  // kv_heads of key_dim
    HeadsView<const T> v;  // kv_heads of value_dim
    const T* g;            // [batch * time, heads, key_dim], at most 0
    double scale = 1;      // of q
    /// [batch * time] or none: the place in its sequence of the first token of each token's document.
    std::span<const std::int32_t> document_start = {};
};

/// Gated linear attention: S_t = diag(exp(g_t)) S_{t-1} + k_t v_t^T, out_t = scale q_t^T S_t (Yang et al. 2024,
/// arXiv:2312.06635). Chunks are cut into blocks of up to 16 tokens. Between blocks the state is carried by products of
/// decays since a block's start and until its end; the pairs inside a block are done channel by channel. Nothing but
/// exp(g) is ever taken an exponential of and nothing is divided by, so that no decay is too strong; a document's start
/// is a decay of 0.
template <class T>
struct VectorDecayForward {
    VectorDecayInputs<T> in;
    HeadsView<T> out;  // heads of value_dim channels
};

/// Gradients of VectorDecayForward, overwritten. dk and dv sum over their group's query heads in head order. The states
/// before each block are computed again, into scratch.
template <class T>
struct VectorDecayBackward {
    VectorDecayInputs<T> in;
    HeadsView<const T> d_out;
    HeadsView<T> dq;
    HeadsView<T> dk;
    HeadsView<T> dv;
    T* dg = nullptr;  // [batch * time, heads, key_dim] or not wanted
    bool accumulate_dg = false;
};

/// One token of one sequence against the state that holds its past, which is brought up to date.
template <class T>
struct VectorDecayStep {
    VectorDecayInputs<T> in;  // batch and time 1
    HeadsView<T> out;
    std::span<T> state;  // [heads, key_dim, value_dim]
};

/// model_flops: heads * (4 key_dim value_dim + (chunk + 1)(key_dim + value_dim)) a token, twice that backward; a chunk
/// is never longer than a sequence. As blocks are shorter than chunks, less is executed.
template <class T>
Cost cost(const VectorDecayForward<T>&);
template <class T>
Cost cost(const VectorDecayBackward<T>&);
template <class T>
Cost cost(const VectorDecayStep<T>&);
template <class T>
void run(CpuContext&, const VectorDecayForward<T>&);
template <class T>
void run(CpuContext&, const VectorDecayBackward<T>&);
template <class T>
void run(CpuContext&, const VectorDecayStep<T>&);

}  // namespace loglog
