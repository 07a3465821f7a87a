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
#include <type_traits>
#include <utility>

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

/// How a tile reads a: along rows, element (i, p) at i * step + p, or along columns, at i + p * step.
enum class OrderOfA { rows, columns };

/// Where a tile's sums go: out[i * stride + j] = scale * sum + (add ? addend[i * addend_stride + j] : 0).
template <class T>
struct TileOutput {
    T* out;
    std::size_t stride;
    const T* addend;  // or nullptr
    std::size_t addend_stride;
    T scale;
};

/// The elements (i, p) of a for one p and all i of a tile, with few enough address registers: x86 adds a base to 1, 2,
/// 4 or 8 times an index, so five rows share a base.
template <class T>
class RowCursor {
  public:
    RowCursor(const T* a, std::size_t step)
        : base_{address(a), address(a + 5 * step), address(a + 10 * step)},
          step_{step * sizeof(T)},
          step3_{3 * step_} {}

    template <std::size_t i>
    HWY_INLINE T get() const {
        constexpr std::size_t within = i % 5;
        const char* base = base_[i / 5];
        if constexpr (within == 3) { return value(base + step3_); }
        return value(base + within * step_);
    }
    HWY_INLINE void advance() {
        for (const char*& base : base_) { base += sizeof(T); }
    }

  private:
    static const char* address(const T* p) { return reinterpret_cast<const char*>(p); }
    HWY_INLINE static T value(const char* p) { return *reinterpret_cast<const T*>(p); }

    const char* base_[3];
    std::size_t step_;
    std::size_t step3_;
};

template <class T>
class ColumnCursor {
  public:
    ColumnCursor(const T* a, std::size_t step) : a_{a}, step_{step} {}

    template <std::size_t i>
    HWY_INLINE T get() const {
        return a_[i];
    }
    HWY_INLINE void advance() { a_ += step_; }

  private:
    const T* a_;
    std::size_t step_;
};

template <OrderOfA order, class T>
using CursorOfA = std::conditional_t<order == OrderOfA::rows, RowCursor<T>, ColumnCursor<T>>;

/// One p of a tile: sums[i] += a(i, p) * b(p, :).
template <class D, class Cursor, class V, std::size_t... i>
HWY_INLINE void add_outer_product(D d, const Cursor& a, V b0, V b1, V* sum0, V* sum1, std::index_sequence<i...>) {
    const auto add_row = [&](std::size_t row, V ai) HWY_ATTR {
        sum0[row] = hn::MulAdd(ai, b0, sum0[row]);
        sum1[row] = hn::MulAdd(ai, b1, sum1[row]);
    };
    (add_row(i, hn::Set(d, a.template get<i>())), ...);
}

/// Sums `rows` x two vectors over `depth`, each element in order of p by fused multiply-adds.
template <std::size_t rows, OrderOfA order, class T>
HWY_NOINLINE void multiply_tile(std::size_t depth, const T* HWY_RESTRICT a, std::size_t a_step, const T* HWY_RESTRICT b,
                                std::size_t b_step, const TileOutput<T>& to) {
    const hn::ScalableTag<T> d;
    using V = hn::Vec<decltype(d)>;
    constexpr std::size_t lanes = Tile<T>::lanes;
    V sum0[rows];
    V sum1[rows];
#pragma GCC unroll 16
    for (std::size_t i = 0; i < rows; ++i) { sum0[i] = sum1[i] = hn::Zero(d); }
    CursorOfA<order, T> cursor{a, a_step};
#pragma GCC unroll 4
    for (std::size_t p = 0; p < depth; ++p) {
        const V b0 = hn::LoadU(d, b);
        const V b1 = hn::LoadU(d, b + lanes);
        add_outer_product(d, cursor, b0, b1, sum0, sum1, std::make_index_sequence<rows>());
        cursor.advance();
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
using MultiplyTile = void (*)(std::size_t, const T*, std::size_t, const T*, std::size_t, const TileOutput<T>&);

/// multiply_tile for every number of rows; entry r - 1 does r rows.
template <OrderOfA order, class T, std::size_t... index>
constexpr std::array<MultiplyTile<T>, sizeof...(index)> tile_table(std::index_sequence<index...>) {
    return {&multiply_tile<index + 1, order, T>...};
}

template <OrderOfA order, class T>
inline constexpr auto tiles_by_rows = tile_table<order, T>(std::make_index_sequence<Tile<T>::rows>());

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
