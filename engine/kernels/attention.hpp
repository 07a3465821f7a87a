#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/kernels/attention_mask.hpp"
#include "engine/kernels/context.hpp"

namespace loglog {

/// Heads of one projection inside a fused row: token t of sequence b, head h starts at
/// data + (b * time + t) * token_stride + h * head_dim.
template <class T>
struct HeadsView {
    T* data = nullptr;
    std::size_t token_stride = 0;
};

/// Sizes shared by forward and backward. Query head h reads key/value head h / (heads / kv_heads).
struct AttentionSizes {
    std::size_t batch = 0;
    std::size_t time = 0;
    std::size_t heads = 0;
    std::size_t kv_heads = 0;
    std::size_t head_dim = 0;
};

/// Dropout of attention probabilities: kept where the counter-based number of (sequence, head, query, key) says so, and
/// scaled by 1 / (1 - probability). Probability 0: none.
struct AttentionDropout {
    float probability = 0;
    std::array<std::uint32_t, 2> key{};  ///< from Random(seed, Stream::dropout_attention)
    std::uint64_t step = 0;              ///< optimizer step
    std::uint32_t layer = 0;
    std::uint64_t first_sequence = 0;  ///< global index of this micro-batch's first sequence
    std::uint32_t first_head = 0;      ///< global index of the first head here
};

/// Blocks of keys that each query chose (mixture of block attention: Lu et al. 2025, arXiv:2502.13189): block b of a
/// document has its keys [b * block, (b + 1) * block).
struct AttentionSelection {
    std::size_t block = 0;
    std::size_t top_k = 0;                      ///< 0: no selection
    std::span<const std::int32_t> blocks = {};  ///< [batch * time, heads, top_k], rising; -1 where there are fewer
};

/// Which of the keys up to itself a query sees: all, unless something here says less. A query that sees none has zeros
/// as its output and gradients, and a log sum exp of minus infinity.
struct AttentionVisibility {
    const AttentionMask* mask = nullptr;  ///< for at least `time` tokens
    /// [batch * time]: the place in its sequence of the first token of each token's document, whose earlier keys are
    /// not seen; never falls within a sequence. Empty: a sequence is one document.
    std::span<const std::int32_t> document_start = {};
    AttentionSelection selection = {};  ///< not together with a mask

    bool is_dense() const noexcept {
        return (mask == nullptr || mask->is_dense()) && document_start.empty() && selection.top_k == 0;
    }
};

/// Causal softmax attention in tiles (Dao 2023, arXiv:2307.08691): out_i = sum_{j <= i} softmax_j(scale q_i . k_j) v_j.
/// Tiles that no query sees a key of are skipped and no time x time matrix exists in memory.
template <class T>
struct AttentionForward {
    AttentionSizes sizes;
    HeadsView<const T> q;
    HeadsView<const T> k;
    HeadsView<const T> v;
    HeadsView<T> out;
    std::span<T> lse;  // [batch, heads, time]: log sum exp of the scaled scores, kept for the backward pass
    T scale;
    AttentionDropout dropout = {};
    AttentionVisibility visible = {};
};

/// Gradients of AttentionForward, overwritten. dk and dv sum over their group's query heads in head order.
template <class T>
struct AttentionBackward {
    AttentionSizes sizes;
    HeadsView<const T> q;
    HeadsView<const T> k;
    HeadsView<const T> v;
    HeadsView<const T> out;
    HeadsView<const T> d_out;
    std::span<const T> lse;
    HeadsView<T> dq;
    HeadsView<T> dk;
    HeadsView<T> dv;
    T scale;
    AttentionDropout dropout = {};
    AttentionVisibility visible = {};
};

template <class T>
Cost cost(const AttentionForward<T>&);
template <class T>
Cost cost(const AttentionBackward<T>&);
template <class T>
void run(CpuContext&, const AttentionForward<T>&);
template <class T>
void run(CpuContext&, const AttentionBackward<T>&);

/// One query against a cache of `length` past keys and values (its own, the last, included), for decoding. A selection
/// has the blocks of this query alone.
template <class T>
struct AttentionDecode {
    std::size_t heads;
    std::size_t kv_heads;
    std::size_t head_dim;
    std::size_t length;
    std::span<const T> q;        // [heads, head_dim]
    std::span<const T> k_cache;  // [length, kv_heads, head_dim]
    std::span<const T> v_cache;  // [length, kv_heads, head_dim]
    std::span<T> out;            // [heads, head_dim]
    T scale;
    AttentionVisibility visible = {};  // no documents
};

template <class T>
Cost cost(const AttentionDecode<T>&);
template <class T>
void run(CpuContext&, const AttentionDecode<T>&);

}  // namespace loglog
