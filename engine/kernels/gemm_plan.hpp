#pragma once

#include <cstddef>

namespace loglog::detail {

/// How a product is cut. It depends on the shape and the instruction set alone, never on the number of threads.
struct GemmPlan {
    std::size_t row_blocks = 0;  ///< pieces of the output's rows, of (nearly) equal size
    std::size_t columns = 0;     ///< of one piece of the output; a multiple of the tile's
    std::size_t column_blocks = 0;
    std::size_t depth = 0;  ///< of k summed in registers before a partial sum is kept
    bool pack_b = true;     ///< copy b into panels of the tile's width; otherwise read it where it is
};

/// `tile_rows`, `tile_columns`: of the register tile. `b_has_rows_of_k`: b is stored [n, k] and must be transposed.
GemmPlan plan_gemm(std::size_t m, std::size_t n, std::size_t k, std::size_t tile_rows, std::size_t tile_columns,
                   bool b_has_rows_of_k);

/// The most of k that a plan ever sums in registers.
inline constexpr std::size_t gemm_depth = 256;

struct IndexRange {
    std::size_t begin;
    std::size_t end;
    std::size_t size() const noexcept { return end - begin; }
};

/// Piece `index` of [0, count) cut into `pieces` that differ by at most one.
constexpr IndexRange even_piece(std::size_t count, std::size_t pieces, std::size_t index) noexcept {
    return {count * index / pieces, count * (index + 1) / pieces};
}

}  // namespace loglog::detail
