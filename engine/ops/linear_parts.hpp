#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/autograd/tape.hpp"
#include "engine/kernels/bias_residual.hpp"
#include "engine/kernels/elementwise.hpp"
#include "engine/kernels/gemm.hpp"
#include "engine/parallel/group.hpp"

/// What linear and row_linear share.
namespace loglog::detail {

template <class T>
MatrixView<T> matrix(const Tensor& tensor) {
    const auto columns = static_cast<std::size_t>(tensor.shape.back());
    return {reinterpret_cast<T*>(tensor.data), static_cast<std::size_t>(tensor.shape.rows()), columns, columns};
}

/// A matrix like `shape_of` at `data`.
template <class T>
MatrixView<T> matrix_at(T* data, const Tensor& shape_of) {
    const auto columns = static_cast<std::size_t>(shape_of.shape.back());
    return {data, static_cast<std::size_t>(shape_of.shape.rows()), columns, columns};
}

template <class T>
MatrixView<T> some_rows(const MatrixView<T>& whole, std::size_t first, std::size_t count) {
    return {whole.data + first * whole.stride, count, whole.columns, whole.stride};
}

template <class T>
MatrixView<T> some_columns(const MatrixView<T>& whole, std::size_t first, std::size_t count) {
    return {whole.data + first, whole.rows, count, whole.stride};
}

constexpr Accumulate accumulation(bool accumulate) { return accumulate ? Accumulate::yes : Accumulate::no; }

/// The two factors of a product.
template <class T>
struct Factors {
    MatrixView<const T> a;
    MatrixView<const T> b;
};

struct LeafBlocks {
    std::size_t leaves;  ///< a power of two
    std::size_t blocks;  ///< products of one leaf, added in order
};

/// to = sum over leaves of (sum over blocks of the product of factors(leaf, block)), leaves as a tree: neighbours pair
/// by pair, level by level. A leaf is joined with its partner's sum as soon as that is there, so that log2(leaves)
/// buffers do, and where possible by the product that finishes it: a product that adds to finished values rounds once
/// more, exactly like adding the finished product.
template <class T, class FactorsOf>
void sum_over_leaves(Tape& tape, GemmForm form, LeafBlocks count, const MatrixView<T>& to, const FactorsOf& factors) {
    LOGLOG_ASSERT(std::has_single_bit(count.leaves));
    constexpr std::size_t most_levels = AddPartials<T>::most;
    LOGLOG_ASSERT(count.leaves < std::size_t{1} << most_levels);
    const Shape shape{static_cast<std::int64_t>(to.rows), static_cast<std::int64_t>(to.columns)};
    const bool adds_to_partner = count.blocks == 1;
    std::array<Tensor, most_levels + 1> waiting{};  // finished sums, of more leaves first
    std::size_t height = 0;
    const auto free_top = [&] {
        const Tensor& top = waiting[--height];
        if (top.data != reinterpret_cast<std::byte*>(to.data)) { tape.release(top); }
    };
    for (std::size_t leaf = 0; leaf < count.leaves; ++leaf) {
        auto joins = static_cast<std::size_t>(std::countr_one(leaf));
        Gemm<T> gemm{.form = form, .a = {}, .b = {}, .c = to};
        if (adds_to_partner && joins > 0) {
            --height;
            --joins;
            gemm.c.data = reinterpret_cast<T*>(waiting[height].data);
            gemm.accumulate = Accumulate::yes;
        } else {
            // The buffer that the last leaf ends up in is the result.
            const bool is_result = leaf + (adds_to_partner ? 2 : 1) >= count.leaves;
            waiting[height] = is_result ? Tensor{reinterpret_cast<std::byte*>(to.data), shape, dtype_of<T>, nullptr}
                                        : tape.saved(shape, dtype_of<T>);
            gemm.c.data = reinterpret_cast<T*>(waiting[height].data);
        }
        const Tensor mine = waiting[height];
        for (std::size_t block = 0; block < count.blocks; ++block) {
            const Factors<T> of_block = factors(leaf, block);
            gemm.a = of_block.a;
            gemm.b = of_block.b;
            if (block + 1 == count.blocks && joins > 0) { gemm.residual = matrix<const T>(waiting[height - 1]); }
            launch(tape.context(), gemm);
            gemm.accumulate = Accumulate::yes;
        }
        if (joins > 0) {
            free_top();
            --joins;
        }
        if (joins > 0) {
            const std::span<T> values{gemm.c.data, to.rows * to.columns};
            AddPartials<T> add{.x = values, .partials = {}, .count = joins, .y = values};
            for (std::size_t i = 0; i < joins; ++i) {
                add.partials[i] = reinterpret_cast<const T*>(waiting[height - 1 - i].data);
            }
            launch(tape.context(), add);
            for (std::size_t i = 0; i < joins; ++i) { free_top(); }
        }
        waiting[height++] = mine;
    }
}

/// d weight and d bias, given dy, times `scale`. While `overlapped` has a message under way, it is given the chance to
/// go on between pieces of the work.
template <class T>
void parameter_gradients(Tape& tape, std::span<const T> dy, const Tensor& x, const Tensor& weight, const Tensor& bias,
                         T scale, Group* overlapped = nullptr) {
    if (!weight.needs_gradient() && !bias.needs_gradient()) { return; }
    tape.weight_gradient([dy, x, weight, bias, scale, overlapped](Tape& back) {
        const auto out = static_cast<std::size_t>(weight.shape[0]);
        if (weight.needs_gradient()) {
            const auto target = back.gradient_of<T>(weight);
            const MatrixView<const T> dy_matrix{dy.data(), dy.size() / out, out, out};
            const auto d_weight = matrix_at(target.values.data(), weight);
            constexpr std::size_t rows_of_piece = 256;  // as fast as all at once
            const std::size_t pieces = overlapped == nullptr ? 1 : std::max<std::size_t>(1, out / rows_of_piece);
            for (std::size_t piece = 0; piece < pieces; ++piece) {
                const std::size_t first = out * piece / pieces;
                const std::size_t rows = out * (piece + 1) / pieces - first;
                launch(back.context(), Gemm<T>{.form = GemmForm::tn,
                                               .a = some_columns(dy_matrix, first, rows),
                                               .b = matrix<const T>(x),
                                               .c = some_rows(d_weight, first, rows),
                                               .alpha = scale,
                                               .accumulate = accumulation(target.accumulate)});
                if (overlapped != nullptr) { overlapped->progress(); }
            }
        }
        if (bias.needs_gradient()) {
            const auto target = back.gradient_of<T>(bias);
            launch(back.context(), ColumnSum<T>{dy, target.values, scale, target.accumulate});
        }
    });
}

}  // namespace loglog::detail
