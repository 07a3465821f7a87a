#include <algorithm>

#include "engine/kernels/attention.hpp"
#include "engine/kernels/attention_moba.hpp"
#include "engine/kernels/attention_workspace.hpp"

namespace loglog {
namespace {

double causal_pairs(std::size_t time) { return static_cast<double>(time) * static_cast<double>(time + 1) / 2; }

// Of one head of one sequence, if each query chooses blocks of keys.
double chosen_pairs(std::size_t time, std::size_t block, std::size_t top_k) {
    double pairs = 0;
    for (std::size_t start = 0; start < time; start += block) {
        const std::size_t rows = std::min(block, time - start);
        const std::size_t earlier = std::min(top_k - 1, start / block) * block;
        pairs += causal_pairs(rows) + static_cast<double>(rows * earlier);
    }
    return pairs;
}

// Pairs of a query and a key that it sees. Documents are left out: planning does not know them.
double pairs_of(const AttentionSizes& s, const AttentionVisibility& v) {
    const auto per_head = [&](std::size_t head) {
        if (v.selection.top_k > 0) { return chosen_pairs(s.time, v.selection.block, v.selection.top_k); }
        return v.mask == nullptr ? causal_pairs(s.time) : static_cast<double>(v.mask->visible_pairs(head, s.time));
    };
    double pairs = 0;
    if (v.mask == nullptr || v.mask->heads() == 1) {
        pairs = static_cast<double>(s.heads) * per_head(0);
    } else {
        for (std::size_t head = 0; head < s.heads; ++head) { pairs += per_head(head); }
    }
    return static_cast<double>(s.batch) * pairs;
}
// What is executed of them if all are visible: register blocks of 8 queries by 16 keys that reach the diagonal, both
// halves of those on it (n rows of blocks have floor((n + 1)^2 / 4) blocks). Other instruction sets differ by a few per
// cent.
double executed_dense_pairs(std::size_t time) {
    const std::size_t n = (time + 7) / 8;
    return 128 * static_cast<double>((n + 1) * (n + 1) / 4);
}
// With a mask, whole tiles of keys, but on the diagonal; with chosen blocks of keys, all, as if a tile's queries chose
// all blocks between them.
double executed_pairs_of(const AttentionSizes& s, const AttentionVisibility& v) {
    const double sequences = static_cast<double>(s.batch);
    if (v.mask == nullptr || v.mask->is_dense()) {
        return sequences * static_cast<double>(s.heads) * executed_dense_pairs(s.time);
    }
    double pairs = 0;
    const std::size_t lists = std::min(v.mask->heads(), s.heads);
    for (std::size_t head = 0; head < lists; ++head) {
        for (std::size_t query = 0; query < s.time; query += attention_tile) {
            const std::size_t tiles = v.mask->tile_count(head, query / attention_tile);
            if (tiles == 0) { continue; }
            const std::size_t rows = std::min(attention_tile, s.time - query);
            const bool has_own =
                v.mask->tile(head, query / attention_tile, tiles - 1).key_tile == query / attention_tile;
            pairs += static_cast<double>((tiles - has_own) * attention_tile * ((rows + 7) / 8 * 8));
            pairs += has_own ? executed_dense_pairs(rows) : 0;
        }
    }
    return sequences * pairs * static_cast<double>(s.heads) / static_cast<double>(lists == 0 ? 1 : lists);
}
double query_elements(const AttentionSizes& s) { return static_cast<double>(s.batch * s.time * s.heads * s.head_dim); }
double key_elements(const AttentionSizes& s) { return static_cast<double>(s.batch * s.time * s.kv_heads * s.head_dim); }
double index_bytes(const AttentionSizes& s, const AttentionVisibility& v) {
    return static_cast<double>(sizeof(std::int32_t) * s.batch * s.time * s.heads * v.selection.top_k);
}
double row_count(const AttentionSizes& s) { return static_cast<double>(s.batch * s.heads * s.time); }

}  // namespace

template <class T>
Cost cost(const AttentionForward<T>& k) {
    const double pairs = pairs_of(k.sizes, k.visible);
    const double executed = executed_pairs_of(k.sizes, k.visible);
    const double dim = static_cast<double>(k.sizes.head_dim);
    // Per pair that is executed: two products, and for the softmax 4 (an exponential counted as one).
    return {.model_flops = 4 * pairs * dim,
            .hardware_flops = executed * (4 * dim + 4),
            .bytes_read =
                sizeof(T) * (query_elements(k.sizes) + 2 * key_elements(k.sizes)) + index_bytes(k.sizes, k.visible),
            .bytes_written = sizeof(T) * (query_elements(k.sizes) + row_count(k.sizes))};
}

template <class T>
Cost cost(const AttentionBackward<T>& k) {
    const double pairs = pairs_of(k.sizes, k.visible);
    const double executed = executed_pairs_of(k.sizes, k.visible);
    const double dim = static_cast<double>(k.sizes.head_dim);
    // Five products, one of them the scores' again.
    return {.model_flops = 8 * pairs * dim,
            .hardware_flops = executed * (10 * dim + 4),
            .bytes_read = sizeof(T) * (3 * query_elements(k.sizes) + 2 * key_elements(k.sizes) + row_count(k.sizes)) +
                          index_bytes(k.sizes, k.visible),
            .bytes_written = sizeof(T) * (query_elements(k.sizes) + 2 * key_elements(k.sizes))};
}

template <class T>
Cost cost(const AttentionDecode<T>& k) {
    double pairs = static_cast<double>(k.heads * k.length);
    if (k.visible.selection.top_k > 0) {
        const std::size_t block = k.visible.selection.block;
        const std::size_t earlier = std::min(k.visible.selection.top_k - 1, (k.length - 1) / block);
        pairs = static_cast<double>(k.heads * ((k.length - 1) % block + 1 + earlier * block));
    } else if (k.visible.mask != nullptr) {
        pairs = 0;
        for (std::size_t head = 0; head < k.heads; ++head) {
            pairs += static_cast<double>(k.visible.mask->visible_pairs(head, k.length) -
                                         k.visible.mask->visible_pairs(head, k.length - 1));
        }
    }
    const double products = 4 * pairs * static_cast<double>(k.head_dim);
    const double key_rows = pairs * static_cast<double>(k.kv_heads) / static_cast<double>(k.heads);
    return {
        .model_flops = products,
        .hardware_flops = products + 4 * pairs,
        .bytes_read = sizeof(T) * (static_cast<double>(k.q.size()) + 2 * key_rows * static_cast<double>(k.head_dim)),
        .bytes_written = sizeof(T) * static_cast<double>(k.out.size())};
}

template <class T>
Cost cost(const AttentionBlockChoice<T>& k) {
    const auto& s = k.sizes;
    const double heads = static_cast<double>(s.batch * s.heads);
    double scores = 0;
    for (std::size_t query = k.first_query; query < s.time; ++query) { scores += static_cast<double>(query / k.block); }
    const double dim = static_cast<double>(s.head_dim);
    const double queries = static_cast<double>(s.time - k.first_query);
    // Executed: the means (once per query head), and scores of whole tiles of 48 queries by 48 blocks.
    const double blocks = static_cast<double>(round_up(s.time / k.block + 1, attention_tile));
    return {.model_flops = heads * 2 * dim * scores,
            .hardware_flops = heads * 2 * dim * (static_cast<double>(s.time) + queries * (blocks + 1) / 2),
            .bytes_read = sizeof(T) * dim *
                          (heads * queries + static_cast<double>(s.batch * s.time) * static_cast<double>(s.kv_heads)),
            .bytes_written = sizeof(std::int32_t) * heads * queries * static_cast<double>(k.top_k)};
}

template Cost cost(const AttentionBlockChoice<float>&);
template Cost cost(const AttentionBlockChoice<double>&);
template Cost cost(const AttentionForward<float>&);
template Cost cost(const AttentionForward<double>&);
template Cost cost(const AttentionBackward<float>&);
template Cost cost(const AttentionBackward<double>&);
template Cost cost(const AttentionDecode<float>&);
template Cost cost(const AttentionDecode<double>&);

}  // namespace loglog
