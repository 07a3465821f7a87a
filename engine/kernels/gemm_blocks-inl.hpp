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

enum GemmSlot : std::size_t { slot_b = 0, slot_a = 1, slot_sums = 2 };

/// Panels of b, Tile::columns wide: the packed copy, or b itself where a whole panel can be read in place.
template <class T>
class PanelsOfB {
  public:
    PanelsOfB(const Gemm<T>& gemm, const T* packed, bool all_packed)
        : gemm_{gemm}, packed_{packed}, all_packed_{all_packed} {}

    static constexpr std::size_t width = Tile<T>::columns;
    std::size_t count() const { return (gemm_.n() + width - 1) / width; }
    bool is_packed(std::size_t panel) const { return all_packed_ || (panel + 1) * width > gemm_.n(); }
    std::size_t first_packed() const { return all_packed_ ? 0 : gemm_.n() / width; }
    std::size_t packed_size() const { return (count() - first_packed()) * gemm_.k() * width; }
    std::size_t offset(std::size_t panel) const { return (panel - first_packed()) * gemm_.k() * width; }

    /// Row p of a panel; the next row is step(panel) further.
    const T* row(std::size_t panel, std::size_t p) const {
        if (is_packed(panel)) { return packed_ + offset(panel) + p * width; }
        return gemm_.b.data + p * gemm_.b.stride + panel * width;
    }
    std::size_t step(std::size_t panel) const { return is_packed(panel) ? width : gemm_.b.stride; }

    /// Packs rows [p.begin, p.end) of a panel into `to`, the start of the packed copy.
    void pack(std::size_t panel, detail::IndexRange p, T* to) const {
        const std::size_t column = panel * width;
        const std::size_t columns = std::min(width, gemm_.n() - column);
        T* target = to + offset(panel) + p.begin * width;
        if (gemm_.form == GemmForm::nt) {
            const T* from = gemm_.b.data + column * gemm_.b.stride + p.begin;
            pack_transposed<width>(from, gemm_.b.stride, columns, p.size(), target);
        } else {
            const T* from = gemm_.b.data + p.begin * gemm_.b.stride + column;
            pack_straight<width>(from, gemm_.b.stride, columns, p.size(), target);
        }
    }

  private:
    const Gemm<T>& gemm_;
    const T* packed_;
    bool all_packed_;
};

template <class T>
void pack_panels(CpuContext& cpu, const PanelsOfB<T>& panels, std::size_t k, T* to) {
    constexpr std::size_t piece = 512;
    constexpr std::size_t alone = 32768;  // elements one thread packs sooner than a second one could start
    const std::size_t pieces = (k + piece - 1) / piece;
    const std::size_t first = panels.first_packed();
    const std::size_t tasks = (panels.count() - first) * pieces;
    const auto pack = [&](std::size_t task) HWY_ATTR {
        const std::size_t begin = task % pieces * piece;
        panels.pack(first + task / pieces, {begin, std::min(k, begin + piece)}, to);
    };
    if (panels.packed_size() <= alone) {
        for (std::size_t task = 0; task < tasks; ++task) { pack(task); }
    } else {
        cpu.for_each(tasks, pack);
    }
}

/// One piece of the output, worked on by one thread. `Layout` is RowsOfA or ColumnsOfA.
template <class Layout, class T>
class Block {
  public:
    using Size = std::size_t;
    static constexpr Size tile_rows = Tile<T>::rows;
    static constexpr Size tile_columns = Tile<T>::columns;

    Block(const Gemm<T>& gemm, const PanelsOfB<T>& panels, detail::IndexRange rows, detail::IndexRange columns)
        : gemm_{gemm},
          panels_{panels},
          rows_{rows},
          columns_{columns},
          row_tiles_{(rows.size() + tile_rows - 1) / tile_rows},
          column_tiles_{(columns.size() + tile_columns - 1) / tile_columns} {}

    Size packed_size() const { return row_tiles_ * Layout::size; }
    Size sums_size() const { return row_tiles_ * column_tiles_ * Tile<T>::size; }

    /// `packed_a` and `sums` are scratch of the sizes above; `sums` keeps partial sums between steps of `depth`.
    void run(Size depth, T* packed_a, T* sums) const {
        const Size k = gemm_.k();
        const bool plain = is_plain(gemm_);
        Size p = 0;
        do {
            const detail::IndexRange range{p, std::min(k, p + depth)};
            pack_a(range, packed_a);
            for (Size tile = 0; tile < row_tiles_; ++tile) {
                multiply_row(tile, range, packed_a + tile * Layout::size, sums, plain);
            }
            p = range.end;
        } while (p < k);
    }

  private:
    detail::IndexRange rows_of(Size tile) const {
        const auto piece = detail::even_piece(rows_.size(), row_tiles_, tile);
        return {rows_.begin + piece.begin, rows_.begin + piece.end};
    }

    void pack_a(detail::IndexRange p, T* to) const {
        const auto& a = gemm_.a;
        if constexpr (Layout::depth_step == 1) {
            for (Size tile = 0; tile < row_tiles_; ++tile) {
                const auto rows = rows_of(tile);
                copy_rows<Layout::row_step>(a.data + rows.begin * a.stride + p.begin, a.stride, rows.size(), p.size(),
                                            to + tile * Layout::size);
            }
        } else {
            for (Size tile = 0; tile < row_tiles_; ++tile) {
                const auto rows = rows_of(tile);
                pack_columns<Layout::depth_step>(a.data + p.begin * a.stride + rows.begin, a.stride, rows.size(),
                                                 p.size(), to + tile * Layout::size);
            }
        }
    }

    /// All tiles of one row of tiles, over one range of k.
    void multiply_row(Size tile, detail::IndexRange p, const T* a, T* sums, bool plain) const {
        const auto rows = rows_of(tile);
        const auto multiply = tiles_by_rows<Layout, T>[rows.size() - 1];
        const bool is_first = p.begin == 0;
        const bool is_last = p.end == gemm_.k();
        for (Size j = 0; j < column_tiles_; ++j) {
            const Region region{rows.begin, columns_.begin + j * tile_columns, rows.size(),
                                std::min(tile_columns, columns_.size() - j * tile_columns)};
            const Size panel = region.column / tile_columns;
            T* partial = sums + (tile * column_tiles_ + j) * Tile<T>::size;
            const T* addend = is_first ? nullptr : partial;
            const bool sums_are_final = is_first || (gemm_.accumulate == Accumulate::no && gemm_.alpha == T{1});
            const bool in_place = is_last && plain && sums_are_final && region.columns == tile_columns;
            TileOutput<T> to{partial, tile_columns, addend, tile_columns, T{1}};
            if (in_place) {
                to.out = gemm_.c.data + region.row * gemm_.c.stride + region.column;
                to.stride = gemm_.c.stride;
                to.scale = gemm_.alpha;
                if (gemm_.accumulate == Accumulate::yes) {
                    to.addend = to.out;
                    to.addend_stride = to.stride;
                }
            }
            multiply(p.size(), a, panels_.row(panel, p.begin), panels_.step(panel), to);
            if (is_last && !in_place) { finish_region(gemm_, region, partial, tile_columns); }
        }
    }

    const Gemm<T>& gemm_;
    const PanelsOfB<T>& panels_;
    detail::IndexRange rows_;
    detail::IndexRange columns_;
    Size row_tiles_;
    Size column_tiles_;
};

template <class Layout, class T>
void multiply_blocks(CpuContext& cpu, const Gemm<T>& gemm, const detail::GemmPlan& plan, const PanelsOfB<T>& panels) {
    cpu.for_each(plan.row_blocks * plan.column_blocks, [&](std::size_t index) HWY_ATTR {
        const std::size_t column = index / plan.row_blocks * plan.columns;
        const auto rows = detail::even_piece(gemm.m(), plan.row_blocks, index % plan.row_blocks);
        const Block<Layout, T> block{gemm, panels, rows, {column, std::min(gemm.n(), column + plan.columns)}};
        T* packed = cpu.scratch_of<T>(block.packed_size(), slot_a);
        T* sums = cpu.scratch_of<T>(block.sums_size(), slot_sums);
        block.run(plan.depth, packed, sums);
    });
}

template <class T>
void multiply(CpuContext& cpu, const Gemm<T>& gemm) {
    if (gemm.m() == 0 || gemm.n() == 0) { return; }
    const auto plan =
        detail::plan_gemm(gemm.m(), gemm.n(), gemm.k(), Tile<T>::rows, Tile<T>::columns, gemm.form == GemmForm::nt);
    const std::size_t packed_size = PanelsOfB<T>{gemm, nullptr, plan.pack_b}.packed_size();
    T* packed = packed_size > 0 ? cpu.scratch_of<T>(packed_size, slot_b) : nullptr;
    const PanelsOfB<T> panels{gemm, packed, plan.pack_b};
    pack_panels(cpu, panels, gemm.k(), packed);
    if (gemm.form == GemmForm::tn) {
        multiply_blocks<ColumnsOfA<T>>(cpu, gemm, plan, panels);
    } else {
        multiply_blocks<RowsOfA<T>>(cpu, gemm, plan, panels);
    }
}

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
