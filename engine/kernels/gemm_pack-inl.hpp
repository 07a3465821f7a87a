// Copies of the operands in the order the tile reads them. For use inside HWY_NAMESPACE.

#if defined(LOGLOG_ENGINE_KERNELS_GEMM_PACK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef LOGLOG_ENGINE_KERNELS_GEMM_PACK_INL_HPP
#undef LOGLOG_ENGINE_KERNELS_GEMM_PACK_INL_HPP
#else
#define LOGLOG_ENGINE_KERNELS_GEMM_PACK_INL_HPP
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// The copies read many short runs far apart, which the processor does not foresee. They go to the second-level cache,
/// since runs a multiple of 4 KiB apart would throw each other out of the first. Any address is harmless.
template <class T>
HWY_INLINE void prefetch_to_l2(const T* address) {
    __builtin_prefetch(address, 0, 2);
}

#if HWY_TARGET != HWY_SCALAR

/// Transposes the 4 x 4 squares inside the 128-bit blocks of four rows of floats.
template <class D, class V = hn::Vec<D>>
HWY_INLINE void transpose_in_blocks(D d, V* row) {
    const hn::Repartition<double, D> dd;
    const auto low01 = hn::BitCast(dd, hn::InterleaveLower(d, row[0], row[1]));
    const auto low23 = hn::BitCast(dd, hn::InterleaveLower(d, row[2], row[3]));
    const auto high01 = hn::BitCast(dd, hn::InterleaveUpper(d, row[0], row[1]));
    const auto high23 = hn::BitCast(dd, hn::InterleaveUpper(d, row[2], row[3]));
    row[0] = hn::BitCast(d, hn::InterleaveLower(dd, low01, low23));
    row[1] = hn::BitCast(d, hn::InterleaveUpper(dd, low01, low23));
    row[2] = hn::BitCast(d, hn::InterleaveLower(dd, high01, high23));
    row[3] = hn::BitCast(d, hn::InterleaveUpper(dd, high01, high23));
}

/// Writes a square of `lanes` x `lanes` floats transposed: to[p * to_pitch + i] = from[i * from_stride + p].
template <std::size_t lanes, class D>
HWY_INLINE void transpose_square(D d, const float* from, std::size_t from_stride, float* to, std::size_t to_pitch) {
    using V = hn::Vec<D>;
    V row[lanes];
#pragma GCC unroll 16
    for (std::size_t i = 0; i < lanes; ++i) {
        prefetch_to_l2(from + i * from_stride + 6 * lanes);
        row[i] = hn::LoadU(d, from + i * from_stride);
    }
#pragma GCC unroll 4
    for (std::size_t i = 0; i < lanes; i += 4) { transpose_in_blocks(d, row + i); }
    // Block b of row[4 g + j] now holds rows 4 g .. 4 g + 3 of column 4 b + j: transpose the blocks.
#pragma GCC unroll 4
    for (std::size_t j = 0; j < 4; ++j) {
        if constexpr (lanes == 8) {
            hn::StoreU(hn::ConcatLowerLower(d, row[4 + j], row[j]), d, to + j * to_pitch);
            hn::StoreU(hn::ConcatUpperUpper(d, row[4 + j], row[j]), d, to + (4 + j) * to_pitch);
        } else {
            static_assert(lanes == 16);
            const V even01 = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(row[4 + j]), row[j]);
            const V odd01 = hn::OddEvenBlocks(row[4 + j], hn::SwapAdjacentBlocks(row[j]));
            const V even23 = hn::OddEvenBlocks(hn::SwapAdjacentBlocks(row[12 + j]), row[8 + j]);
            const V odd23 = hn::OddEvenBlocks(row[12 + j], hn::SwapAdjacentBlocks(row[8 + j]));
            hn::StoreU(hn::ConcatLowerLower(d, even23, even01), d, to + j * to_pitch);
            hn::StoreU(hn::ConcatLowerLower(d, odd23, odd01), d, to + (4 + j) * to_pitch);
            hn::StoreU(hn::ConcatUpperUpper(d, even23, even01), d, to + (8 + j) * to_pitch);
            hn::StoreU(hn::ConcatUpperUpper(d, odd23, odd01), d, to + (12 + j) * to_pitch);
        }
    }
}

#endif  // HWY_TARGET != HWY_SCALAR

/// Panel of a matrix stored [width, depth]: to[p * panel + j] = from[j * stride + p], zero for j >= width.
template <std::size_t panel, class T>
void pack_transposed(const T* from, std::size_t stride, std::size_t width, std::size_t depth, T* to) {
    std::size_t p = 0;
#if HWY_TARGET != HWY_SCALAR
    constexpr std::size_t lanes = hn::MaxLanes(hn::ScalableTag<T>());
    if constexpr (sizeof(T) == sizeof(float) && (lanes == 8 || lanes == 16)) {
        if (width == panel) {
            for (; p + lanes <= depth; p += lanes) {
                for (std::size_t j = 0; j < panel; j += lanes) {
                    transpose_square<lanes>(hn::ScalableTag<T>(), from + j * stride + p, stride, to + p * panel + j,
                                            panel);
                }
            }
        }
    }
#endif
    for (; p < depth; ++p) {
        for (std::size_t j = 0; j < width; ++j) { to[p * panel + j] = from[j * stride + p]; }
        std::fill(to + p * panel + width, to + (p + 1) * panel, T{0});
    }
}

/// Panel of a matrix stored [depth, width]: to[p * panel + j] = from[p * stride + j], zero for j >= width.
template <std::size_t panel, class T>
void pack_straight(const T* from, std::size_t stride, std::size_t width, std::size_t depth, T* to) {
    const hn::ScalableTag<T> d;
    constexpr std::size_t lanes = hn::MaxLanes(d);
    if (width == panel) {
        for (std::size_t p = 0; p < depth; ++p) {
            prefetch_to_l2(from + (p + 12) * stride);
            prefetch_to_l2(from + (p + 12) * stride + panel / 2);
#pragma GCC unroll 2
            for (std::size_t j = 0; j < panel; j += lanes) {
                hn::StoreU(hn::LoadU(d, from + p * stride + j), d, to + p * panel + j);
            }
        }
        return;
    }
    for (std::size_t p = 0; p < depth; ++p) {
        std::copy_n(from + p * stride, width, to + p * panel);
        std::fill(to + p * panel + width, to + (p + 1) * panel, T{0});
    }
}

/// Rows one after the other, `pitch` apart: to[i * pitch + p] = from[i * stride + p].
template <class T>
void copy_rows(const T* from, std::size_t stride, std::size_t rows, std::size_t depth, T* to, std::size_t pitch) {
    const hn::ScalableTag<T> d;
    constexpr std::size_t lanes = hn::MaxLanes(d);
    for (std::size_t i = 0; i < rows; ++i) {
        const T* source = from + i * stride;
        T* target = to + i * pitch;
        std::size_t p = 0;
        for (; p + lanes <= depth; p += lanes) {
            prefetch_to_l2(source + p + 2 * stride);
            hn::StoreU(hn::LoadU(d, source + p), d, target + p);
        }
        for (; p < depth; ++p) { target[p] = source[p]; }
    }
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
