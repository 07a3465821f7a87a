#include <algorithm>
#include <bit>
#include <numbers>

#include "engine/kernels/attention.hpp"
#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/attention_decode_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_exp2-inl.hpp"
#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

template <class T>
HWY_INLINE T dot(const T* a, const T* b, std::size_t count) {
    const hn::ScalableTag<T> d;
    auto sum = hn::Zero(d);
    for (std::size_t i = 0; i < count; i += hn::Lanes(d)) {
        sum = hn::MulAdd(load_first(d, a + i, count - i), load_first(d, b + i, count - i), sum);
    }
    return lane_sum(d, sum);
}

// Turns scores in base 2 into unnormalised probabilities; returns their sum.
template <class T>
HWY_INLINE T soften(T* scores, std::size_t length) {
    const hn::ScalableTag<T> d;
    const auto largest = hn::Set(d, *std::max_element(scores, scores + length));
    auto sum = hn::Zero(d);
    for (std::size_t j = 0; j < length; j += hn::Lanes(d)) {
        const std::size_t count = std::min(hn::Lanes(d), length - j);
        const auto p = exp2_of_negative(d, hn::Sub(load_first(d, scores + j, count), largest));
        sum = hn::Add(sum, hn::IfThenElseZero(hn::FirstN(d, count), p));
        store_first(p, d, scores + j, count);
    }
    return lane_sum(d, sum);
}

// Places of the keys that the query sees, rising; returns their number.
template <class T>
std::size_t find_visible(const AttentionDecode<T>& k, std::size_t head, std::int32_t* places) {
    std::size_t count = 0;
    const std::size_t query = k.length - 1;
    const auto add = [&](std::size_t begin, std::size_t end) {
        for (; begin < end; ++begin) { places[count++] = static_cast<std::int32_t>(begin); }
    };
    const auto& chosen = k.visible.selection;
    if (chosen.top_k > 0) {
        for (std::size_t index = 0; index < chosen.top_k; ++index) {
            const std::int32_t block = chosen.blocks[head * chosen.top_k + index];
            if (block < 0) { break; }
            const std::size_t first = static_cast<std::size_t>(block) * chosen.block;
            add(first, std::min(first + chosen.block, k.length));
        }
    } else if (k.visible.mask == nullptr) {
        add(0, k.length);
    } else {
        const auto& mask = *k.visible.mask;
        const std::size_t query_tile = query / attention_tile;
        for (std::size_t index = 0; index < mask.tile_count(head, query_tile); ++index) {
            const auto tile = mask.tile(head, query_tile, index);
            const std::size_t first = tile.key_tile * attention_tile;
            if (tile.bits == nullptr) {
                add(first, std::min(first + attention_tile, k.length));
                continue;
            }
            for (std::uint64_t bits = (*tile.bits)[query % attention_tile]; bits != 0; bits &= bits - 1) {
                places[count++] = static_cast<std::int32_t>(first + static_cast<std::size_t>(std::countr_zero(bits)));
            }
        }
    }
    return count;
}

template <class T>
void decode_heads(const AttentionDecode<T>& k, T* scratch, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const std::size_t stride = k.kv_heads * k.head_dim;
    T* const scores = scratch;
    auto* const places = reinterpret_cast<std::int32_t*>(scratch + k.length);
    for (std::size_t head = begin; head < end; ++head) {
        const std::size_t kv = head / (k.heads / k.kv_heads) * k.head_dim;
        const T* q = k.q.data() + head * k.head_dim;
        const std::size_t count = find_visible(k, head, places);
        if (count == 0) {
            std::fill_n(k.out.data() + head * k.head_dim, k.head_dim, T{0});
            continue;
        }
        const auto row_of = [&](std::span<const T> cache, std::size_t j) {
            return cache.data() + static_cast<std::size_t>(places[j]) * stride + kv;
        };
        for (std::size_t j = 0; j < count; ++j) {
            scores[j] = k.scale * std::numbers::log2e_v<T> * dot(q, row_of(k.k_cache, j), k.head_dim);
        }
        const auto inverse = hn::Set(d, T{1} / soften(scores, count));
        for (std::size_t i = 0; i < k.head_dim; i += hn::Lanes(d)) {
            const std::size_t channels = k.head_dim - i;
            auto sum = hn::Zero(d);
            for (std::size_t j = 0; j < count; ++j) {
                sum = hn::MulAdd(hn::Set(d, scores[j]), load_first(d, row_of(k.v_cache, j) + i, channels), sum);
            }
            store_first(hn::Mul(inverse, sum), d, k.out.data() + head * k.head_dim + i, channels);
        }
    }
}

ChunkPieces<AttentionDecode> attention_decode() { return {decode_heads<float>, decode_heads<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(attention_decode);

template <class T>
void run(CpuContext& cpu, const AttentionDecode<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(attention_decode)();
    cpu.for_each(k.heads, [&](std::size_t head) { piece(k, cpu.scratch_of<T>(2 * k.length), head, head + 1); });
}

template void run(CpuContext&, const AttentionDecode<float>&);
template void run(CpuContext&, const AttentionDecode<double>&);

}  // namespace loglog
#endif
