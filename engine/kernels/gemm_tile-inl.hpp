// The register tile of the matrix product. For use inside HWY_NAMESPACE.

#if defined(LOGLOG_ENGINE_KERNELS_GEMM_TILE_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef LOGLOG_ENGINE_KERNELS_GEMM_TILE_INL_HPP
#undef LOGLOG_ENGINE_KERNELS_GEMM_TILE_INL_HPP
#else
#define LOGLOG_ENGINE_KERNELS_GEMM_TILE_INL_HPP
#endif

#include <hwy/highway.h>

#include <array>
#include <cstddef>
#include <utility>

#include "engine/kernels/gemm_plan.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// The output tile that stays in registers: `rows` x two vectors. AVX-512 has 32 registers, the others 16.
template <class T>
struct Tile {
    static constexpr std::size_t lanes = hn::MaxLanes(hn::ScalableTag<T>());
    static constexpr std::size_t rows = HWY_TARGET == HWY_AVX3 ? 14 : 6;
    static constexpr std::size_t columns = 2 * lanes;
    static constexpr std::size_t size = rows * columns;
};

/// a packed as rows: element (i, p) at i * row_step + p. The step keeps rows out of each other's cache sets.
template <class T>
struct RowsOfA {
    static constexpr std::size_t row_step = detail::gemm_depth + 16;
    static constexpr std::size_t depth_step = 1;
    static constexpr std::size_t size = Tile<T>::rows * row_step;
};

/// a packed as columns: element (i, p) at i + p * depth_step.
template <class T>
struct ColumnsOfA {
    static constexpr std::size_t row_step = 1;
    static constexpr std::size_t depth_step = (Tile<T>::rows + Tile<T>::lanes - 1) / Tile<T>::lanes * Tile<T>::lanes;
    static constexpr std::size_t size = detail::gemm_depth * depth_step;
};

/// Where a tile's sums go: out[i * stride + j] = scale * sum + (add ? addend[i * addend_stride + j] : 0).
template <class T>
struct TileOutput {
    T* out;
    std::size_t stride;
    const T* addend;  // or nullptr
    std::size_t addend_stride;
    T scale;
};

/// Sums `rows` x two vectors over `depth`, each element in order of p by fused multiply-adds.
template <std::size_t rows, class Layout, class T>
HWY_NOINLINE void multiply_tile(std::size_t depth, const T* HWY_RESTRICT a, const T* HWY_RESTRICT b, std::size_t b_step,
                                const TileOutput<T>& to) {
    const hn::ScalableTag<T> d;
    using V = hn::Vec<decltype(d)>;
    constexpr std::size_t lanes = Tile<T>::lanes;
    V sum0[rows];
    V sum1[rows];
#pragma GCC unroll 16
    for (std::size_t i = 0; i < rows; ++i) { sum0[i] = sum1[i] = hn::Zero(d); }
#pragma GCC unroll 4
    for (std::size_t p = 0; p < depth; ++p) {
        const V b0 = hn::LoadU(d, b);
        const V b1 = hn::LoadU(d, b + lanes);
#pragma GCC unroll 16
        for (std::size_t i = 0; i < rows; ++i) {
            const V ai = hn::Set(d, a[i * Layout::row_step]);
            sum0[i] = hn::MulAdd(ai, b0, sum0[i]);
            sum1[i] = hn::MulAdd(ai, b1, sum1[i]);
        }
        a += Layout::depth_step;
        b += b_step;
    }
    const V scale = hn::Set(d, to.scale);
    if (to.addend == nullptr) {
#pragma GCC unroll 16
        for (std::size_t i = 0; i < rows; ++i) {
            hn::StoreU(hn::Mul(sum0[i], scale), d, to.out + i * to.stride);
            hn::StoreU(hn::Mul(sum1[i], scale), d, to.out + i * to.stride + lanes);
        }
        return;
    }
#pragma GCC unroll 16
    for (std::size_t i = 0; i < rows; ++i) {
        const T* addend = to.addend + i * to.addend_stride;
        hn::StoreU(hn::MulAdd(sum0[i], scale, hn::LoadU(d, addend)), d, to.out + i * to.stride);
        hn::StoreU(hn::MulAdd(sum1[i], scale, hn::LoadU(d, addend + lanes)), d, to.out + i * to.stride + lanes);
    }
}

template <class T>
using MultiplyTile = void (*)(std::size_t, const T*, const T*, std::size_t, const TileOutput<T>&);

/// multiply_tile for every number of rows; entry r - 1 does r rows.
template <class Layout, class T, std::size_t... index>
constexpr std::array<MultiplyTile<T>, sizeof...(index)> tile_table(std::index_sequence<index...>) {
    return {&multiply_tile<index + 1, Layout, T>...};
}

template <class Layout, class T>
inline constexpr auto tiles_by_rows = tile_table<Layout, T>(std::make_index_sequence<Tile<T>::rows>());

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
