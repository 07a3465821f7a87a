#include "engine/kernels/attention_moba.hpp"

#include <algorithm>

#include "engine/kernels/attention_moba_workspace.hpp"
#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/attention_moba_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/attention_tiles-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

// Means of the blocks' keys, added up in order, in panels; returns the number of blocks.
template <class T>
std::size_t average_blocks(const AttentionBlockChoice<T>& k, const BlockChoiceWorkspace<T>& w, std::size_t sequence,
                           std::size_t head) {
    const hn::ScalableTag<T> d;
    const auto& s = k.sizes;
    const std::size_t dim = padded_dim(s.head_dim);
    const std::size_t kv = head / (s.heads / s.kv_heads) * s.head_dim;
    const auto share = hn::Set(d, T{1} / static_cast<T>(k.block));
    std::size_t blocks = 0;
    for (std::size_t t = 0; t < s.time; ++t) {
        const std::size_t start = document_start_of(k, sequence, t);
        const bool is_first = (t - start) % k.block == 0;
        T* mean = w.means + (is_first ? blocks : blocks - 1) * dim;
        if (is_first) { std::fill_n(mean, dim, T{0}); }
        blocks += is_first;
        w.first_block[t] = static_cast<std::int32_t>(blocks - 1 - (t - start) / k.block);
        const T* key = k.k.data + (sequence * s.time + t) * k.k.token_stride + kv;
        for (std::size_t i = 0; i < s.head_dim; i += hn::Lanes(d)) {
            const auto sum = hn::MulAdd(share, load_first(d, key + i, s.head_dim - i), hn::Load(d, mean + i));
            hn::Store(sum, d, mean + i);
        }
    }
    pack_panels(w.means, dim, blocks, s.head_dim, w.panels);
    return blocks;
}

// Products of a tile of queries with the means of blocks [0, end).
template <class T>
void score_blocks(const BlockChoiceWorkspace<T>& w, std::size_t head_dim, std::size_t rows, std::size_t end,
                  std::size_t stride) {
    const hn::ScalableTag<T> d;
    using V = hn::Vec<decltype(d)>;
    constexpr std::size_t M = Blocks<T>::score_rows;
    constexpr std::size_t N = Blocks<T>::score_vectors;
    const std::size_t dim = padded_dim(head_dim);
    for (std::size_t start = 0; start < end; start += Blocks<T>::panel) {
        for (std::size_t row = 0; row < rows; row += M) {
            V sums[M][N];
            for (std::size_t m = 0; m < M; ++m) {
                for (std::size_t n = 0; n < N; ++n) { sums[m][n] = hn::Zero(d); }
            }
            add_outer_products<M, N>(w.queries + row * dim, dim, 1, w.panels + start * head_dim, Blocks<T>::panel,
                                     head_dim, sums);
            for (std::size_t m = 0; m < M; ++m) {
                for (std::size_t n = 0; n < N; ++n) {
                    hn::Store(sums[m][n], d, w.scores + (row + m) * stride + start + n * Blocks<T>::lanes);
                }
            }
        }
    }
}

// The `count` best of blocks [0, own), the lower of two equal ones, and `own`, rising; -1 behind them.
template <class T>
void choose(const T* scores, std::size_t own, std::size_t count, std::int32_t* best, std::int32_t* chosen) {
    std::size_t found = 0;
    for (std::size_t block = 0; block < own && count > 0; ++block) {
        if (found == count && !(scores[block] > scores[best[found - 1]])) { continue; }
        std::size_t place = found == count ? found - 1 : found++;
        for (; place > 0 && scores[block] > scores[best[place - 1]]; --place) { best[place] = best[place - 1]; }
        best[place] = static_cast<std::int32_t>(block);
    }
    std::sort(best, best + found);
    std::copy_n(best, found, chosen);
    chosen[found] = static_cast<std::int32_t>(own);
    std::fill(chosen + found + 1, chosen + count + 1, -1);
}

template <class T>
void choose_blocks(const AttentionBlockChoice<T>& k, T* scratch, std::size_t begin, std::size_t end) {
    const auto& s = k.sizes;
    const std::size_t most = most_blocks(k);
    Carver<T> carver{scratch};
    const BlockChoiceWorkspace<T> w{carver, k, most};
    const std::size_t stride = padded_time(most);
    const std::size_t queries = s.time - k.first_query;
    for (std::size_t piece = begin; piece < end; ++piece) {
        const std::size_t sequence = piece / s.heads;
        const std::size_t head = piece % s.heads;
        average_blocks(k, w, sequence, head);
        for (std::size_t first = 0; first < queries; first += attention_tile) {
            const std::size_t rows = std::min(attention_tile, queries - first);
            pack_rows(k.q.data + (sequence * queries + first) * k.q.token_stride + head * s.head_dim, k.q.token_stride,
                      rows, s.head_dim, T{1}, w.queries);
            const auto own_of = [&](std::size_t row) {
                const std::size_t t = k.first_query + first + row;
                return (t - document_start_of(k, sequence, t)) / k.block;
            };
            const auto first_of = [&](std::size_t row) {
                return static_cast<std::size_t>(w.first_block[k.first_query + first + row]);
            };
            score_blocks(w, s.head_dim, rows, first_of(rows - 1) + own_of(rows - 1), stride);
            for (std::size_t row = 0; row < rows; ++row) {
                choose(w.scores + row * stride + first_of(row), own_of(row), k.top_k - 1, w.best,
                       k.chosen.data() + ((sequence * queries + first + row) * s.heads + head) * k.top_k);
            }
        }
    }
}

ChunkPieces<AttentionBlockChoice> attention_moba() { return {choose_blocks<float>, choose_blocks<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(attention_moba);

template <class T>
void run(CpuContext& cpu, const AttentionBlockChoice<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(attention_moba)();
    Carver<T> carver{nullptr};
    BlockChoiceWorkspace<T>{carver, k, most_blocks(k)};
    cpu.for_each(k.sizes.batch * k.sizes.heads,
                 [&](std::size_t index) { piece(k, cpu.scratch_of<T>(carver.used()), index, index + 1); });
}

template void run(CpuContext&, const AttentionBlockChoice<float>&);
template void run(CpuContext&, const AttentionBlockChoice<double>&);

}  // namespace loglog
#endif
