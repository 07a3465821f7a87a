#pragma once

#include <cstddef>

#include "engine/kernels/gemm.hpp"

namespace loglog::detail {

/// The most of k that is summed in registers before a partial sum is kept.
inline constexpr std::size_t gemm_depth = 512;

/// Where tiles read b from.
enum class SourceOfB {
    in_place,       ///< b itself
    shared_panels,  ///< a copy in the tile's order, made once for all pieces: b is small
    own_panels,     ///< a copy of what one piece needs, made by the thread that works on it
};

/// How a product is cut. It depends on the shape and the instruction set alone, never on the number of threads.
struct GemmPlan {
    std::size_t row_blocks = 0;     ///< pieces of the output's rows, of nearly equal size
    std::size_t columns = 0;        ///< of one piece of the output, a multiple of the tile's
    std::size_t column_blocks = 0;  ///< pieces of that many columns; the last may be narrower
    SourceOfB source_of_b = SourceOfB::in_place;
    bool rows_first = false;  ///< neighbouring pieces share rows of a, rather than columns of b
};

struct TileShape {
    std::size_t rows;
    std::size_t columns;
};

/// What a product asks of a plan.
struct GemmTraits {
    GemmForm form;
    std::size_t m;
    std::size_t n;
    std::size_t k;
    bool copies_a;  ///< tiles copy their rows of a, once for each piece of the columns
};

GemmPlan plan_gemm(const GemmTraits& gemm, TileShape tile);

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
