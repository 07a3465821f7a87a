#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/kernels/attention.hpp"

namespace loglog {

/// For every query and head the blocks of keys that it attends to (mixture of block attention: Lu et al. 2025,
/// arXiv:2502.13189, sec. 2.2): its own block, and of the earlier ones of its document those top_k - 1 whose mean key
/// has the largest product with the query, the lower one where two are equal. Blocks are counted from the document's
/// start. Products are summed channel by channel in T, so the choice depends on nothing but the numbers and the
/// instruction set.
template <class T>
struct AttentionBlockChoice {
    AttentionSizes sizes;
    HeadsView<const T> q;
    HeadsView<const T> k;
    std::size_t block;
    std::size_t top_k;
    std::span<const std::int32_t> document_start;  // [batch * time] or empty, as in AttentionVisibility
    std::span<std::int32_t> chosen;  // [batch * (time - first_query), heads, top_k], as AttentionSelection's
    std::size_t first_query = 0;     // q has, of each sequence, only the queries from here on
};

/// Model FLOPs: 2 head_dim per query and earlier block, as if a sequence were one document.
template <class T>
Cost cost(const AttentionBlockChoice<T>&);
template <class T>
void run(CpuContext&, const AttentionBlockChoice<T>&);

}  // namespace loglog
