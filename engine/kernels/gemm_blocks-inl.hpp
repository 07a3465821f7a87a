// The loops around the tile: packs b, then lets each thread finish pieces of the output. For use inside HWY_NAMESPACE.

#if defined(LOGLOG_ENGINE_KERNELS_GEMM_BLOCKS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef LOGLOG_ENGINE_KERNELS_GEMM_BLOCKS_INL_HPP
#undef LOGLOG_ENGINE_KERNELS_GEMM_BLOCKS_INL_HPP
#else
#define LOGLOG_ENGINE_KERNELS_GEMM_BLOCKS_INL_HPP
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cstddef>

#include "engine/kernels/gemm.hpp"
#include "engine/kernels/gemm_epilogue-inl.hpp"
#include "engine/kernels/gemm_pack-inl.hpp"
#include "engine/kernels/gemm_plan.hpp"
#include "engine/kernels/gemm_tile-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

enum GemmSlot : std::size_t { slot_shared_b = 0, slot_own_b = 1, slot_a = 2, slot_sums = 3, slot_tile = 4 };

/// Packs columns [column, column + Tile::columns) of op(b), rows `p`, into one panel; missing columns become zeros.
template <class T>
void pack_panel(const Gemm<T>& gemm, std::size_t column, detail::IndexRange p, T* to) {
    constexpr std::size_t width = Tile<T>::columns;
    const std::size_t columns = std::min(width, gemm.n() - column);
    const auto& b = gemm.b;
    if (gemm.form == GemmForm::nt) {
        pack_transposed<width>(b.data + column * b.stride + p.begin, b.stride, columns, p.size(), to);
    } else {
        pack_straight<width>(b.data + p.begin * b.stride + column, b.stride, columns, p.size(), to);
    }
}

/// Packs all of b: panel j starts at j * k * Tile::columns.
template <class T>
void pack_shared(CpuContext& cpu, const Gemm<T>& gemm, T* to) {
    constexpr std::size_t width = Tile<T>::columns;
    constexpr std::size_t alone = 32'768;  // elements that one thread packs sooner than a second one could start
    const std::size_t k = gemm.k();
    const std::size_t panels = (gemm.n() + width - 1) / width;
    const auto pack = [&](std::size_t panel) HWY_ATTR {
        pack_panel(gemm, panel * width, {0, k}, to + panel * k * width);
    };
    if (panels * width * k <= alone) {
        for (std::size_t panel = 0; panel < panels; ++panel) { pack(panel); }
    } else {
        cpu.for_each(panels, pack);
    }
}

/// Rows a multiple of 4 KiB apart fall into one set of the first-level cache, which cannot hold a tile's.
template <class T>
bool copies_rows_of_a(const Gemm<T>& gemm) {
    return gemm.form != GemmForm::tn && gemm.a.stride * sizeof(T) % 4096 == 0;
}

/// Where a tile's operand starts, and the distance to its next row (or, for a by columns, column).
template <class T>
struct Operand {
    const T* data;
    std::size_t step;
};

/// One piece of the output, worked on by one thread.
template <OrderOfA order, class T>
class Block {
  public:
    using Size = std::size_t;
    static constexpr Size tile_rows = Tile<T>::rows;
    static constexpr Size tile_columns = Tile<T>::columns;

    /// `shared_b`: all of b packed by pack_shared, if the plan has that.
    Block(const Gemm<T>& gemm, detail::SourceOfB source_of_b, const T* shared_b, detail::IndexRange rows,
          detail::IndexRange columns)
        : gemm_{gemm},
          source_of_b_{source_of_b},
          shared_b_{shared_b},
          rows_{rows},
          columns_{columns},
          row_tiles_{(rows.size() + tile_rows - 1) / tile_rows},
          panels_{(columns.size() + tile_columns - 1) / tile_columns} {}

    void run(CpuContext& cpu) const {
        const Size k = gemm_.k();
        const Size depth = std::min(k, detail::gemm_depth);
        const bool is_split = k > depth;
        const Scratch scratch{
            .a = copies_rows_of_a(gemm_) ? cpu.scratch_of<T>(tile_rows * row_pitch, slot_a) : nullptr,
            .b = cpu.scratch_of<T>(panels_ * depth * tile_columns, slot_own_b),
            .tile = cpu.scratch_of<T>(Tile<T>::size, slot_tile),
            .partial = is_split ? cpu.scratch_of<T>(row_tiles_ * panels_ * Tile<T>::size, slot_sums) : nullptr};
        Size begin = 0;
        do {
            const detail::IndexRange p{begin, std::min(k, begin + depth)};
            for (Size j = 0; j < panels_; ++j) {
                if (is_copied_here(j)) { pack_panel(gemm_, first_column(j), p, scratch.b + j * depth * tile_columns); }
            }
            for (Size tile = 0; tile < row_tiles_; ++tile) { multiply_row(tile, p, depth, scratch); }
            begin = p.end;
        } while (begin < k);
    }

  private:
    struct Scratch {
        T* a;
        T* b;        // [panels][depth][tile_columns]
        T* tile;     // sums of one tile
        T* partial;  // [row tiles][panels][tile], kept from one range of k to the next
    };

    static constexpr Size row_pitch = detail::gemm_depth + 16;

    Size first_column(Size j) const { return columns_.begin + j * tile_columns; }
    bool is_whole(Size j) const { return first_column(j) + tile_columns <= columns_.end; }
    bool is_copied_here(Size j) const {
        return source_of_b_ == detail::SourceOfB::own_panels ||
               (source_of_b_ == detail::SourceOfB::in_place && !is_whole(j));
    }

    detail::IndexRange rows_of(Size tile) const {
        const auto piece = detail::even_piece(rows_.size(), row_tiles_, tile);
        return {rows_.begin + piece.begin, rows_.begin + piece.end};
    }

    Operand<T> operand_a(detail::IndexRange rows, detail::IndexRange p, const Scratch& scratch) const {
        const auto& a = gemm_.a;
        if (order == OrderOfA::columns) { return {a.data + p.begin * a.stride + rows.begin, a.stride}; }
        const T* from = a.data + rows.begin * a.stride + p.begin;
        if (!copies_rows_of_a(gemm_)) { return {from, a.stride}; }
        copy_rows(from, a.stride, rows.size(), p.size(), scratch.a, row_pitch);
        return {scratch.a, row_pitch};
    }

    Operand<T> operand_b(Size j, detail::IndexRange p, Size depth, const Scratch& scratch) const {
        if (is_copied_here(j)) { return {scratch.b + j * depth * tile_columns, tile_columns}; }
        if (shared_b_ != nullptr) {
            return {shared_b_ + first_column(j) * gemm_.k() + p.begin * tile_columns, tile_columns};
        }
        return {gemm_.b.data + p.begin * gemm_.b.stride + first_column(j), gemm_.b.stride};
    }

    /// All tiles of one row of tiles, over one range of k.
    void multiply_row(Size tile, detail::IndexRange p, Size depth, const Scratch& scratch) const {
        const auto rows = rows_of(tile);
        const auto multiply = tiles_by_rows<order, T>[rows.size() - 1];
        const auto a = operand_a(rows, p, scratch);
        const bool is_first = p.begin == 0;
        const bool is_last = p.end == gemm_.k();
        const bool sums_are_final = is_first || (gemm_.accumulate == Accumulate::no && gemm_.alpha == T{1});
        const bool fills_c = is_last && sums_are_final && is_plain(gemm_);
        for (Size j = 0; j < panels_; ++j) {
            const Region region{rows.begin, first_column(j), rows.size(),
                                std::min(tile_columns, columns_.end - first_column(j))};
            const auto b = operand_b(j, p, depth, scratch);
            T* kept = scratch.partial == nullptr ? nullptr : scratch.partial + (tile * panels_ + j) * Tile<T>::size;
            TileOutput<T> to{is_last ? scratch.tile : kept, tile_columns, is_first ? nullptr : kept, tile_columns,
                             T{1}};
            const bool writes_c = fills_c && is_whole(j);
            if (writes_c) {
                to.out = gemm_.c.data + region.row * gemm_.c.stride + region.column;
                to.stride = gemm_.c.stride;
                to.scale = gemm_.alpha;
                if (gemm_.accumulate == Accumulate::yes) {
                    to.addend = to.out;
                    to.addend_stride = to.stride;
                }
            }
            if (is_last) { prefetch_region(gemm_, region); }
            multiply(p.size(), a.data, a.step, b.data, b.step, to);
            if (is_last && !writes_c) { finish_region(gemm_, region, scratch.tile, tile_columns); }
        }
    }

    const Gemm<T>& gemm_;
    detail::SourceOfB source_of_b_;
    const T* shared_b_;
    detail::IndexRange rows_;
    detail::IndexRange columns_;
    Size row_tiles_;
    Size panels_;
};

template <OrderOfA order, class T>
void multiply_blocks(CpuContext& cpu, const Gemm<T>& gemm, const detail::GemmPlan& plan, const T* shared_b) {
    cpu.for_each(plan.row_blocks * plan.column_blocks, [&](std::size_t index) HWY_ATTR {
        const std::size_t row_block = plan.rows_first ? index / plan.column_blocks : index % plan.row_blocks;
        const std::size_t column_block = plan.rows_first ? index % plan.column_blocks : index / plan.row_blocks;
        const auto rows = detail::even_piece(gemm.m(), plan.row_blocks, row_block);
        const std::size_t column = column_block * plan.columns;
        const detail::IndexRange columns{column, std::min(gemm.n(), column + plan.columns)};
        Block<order, T>{gemm, plan.source_of_b, shared_b, rows, columns}.run(cpu);
    });
}

template <class T>
void multiply(CpuContext& cpu, const Gemm<T>& gemm) {
    if (gemm.m() == 0 || gemm.n() == 0) { return; }
    constexpr std::size_t width = Tile<T>::columns;
    const detail::GemmTraits traits{gemm.form, gemm.m(), gemm.n(), gemm.k(), copies_rows_of_a(gemm)};
    const auto plan = detail::plan_gemm(traits, {Tile<T>::rows, width});
    T* shared_b = nullptr;
    if (plan.source_of_b == detail::SourceOfB::shared_panels) {
        shared_b = cpu.scratch_of<T>((gemm.n() + width - 1) / width * width * gemm.k(), slot_shared_b);
        pack_shared(cpu, gemm, shared_b);
    }
    if (gemm.form == GemmForm::tn) {
        multiply_blocks<OrderOfA::columns>(cpu, gemm, plan, shared_b);
    } else {
        multiply_blocks<OrderOfA::rows>(cpu, gemm, plan, shared_b);
    }
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
