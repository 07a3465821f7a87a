#include "engine/ops/linear.hpp"

#include <numeric>

#include "engine/ops/check_shape.hpp"
#include "engine/ops/linear_parts.hpp"

namespace loglog {
namespace {

using detail::accumulation;
using detail::matrix;
using detail::matrix_at;
using detail::parameter_gradients;
using detail::some_columns;
using detail::some_rows;

void check(const Tensor& x, const Tensor& weight, const LinearOptions& options) {
    if (x.shape.rank() < 1 || weight.shape.rank() != 2 || weight.shape[1] != x.shape.back()) {
        const auto out = weight.shape.rank() == 2 ? weight.shape[0] : 0;
        throw ShapeError{"linear", "weight", weight.shape, Shape{out, x.shape.rank() < 1 ? 0 : x.shape.back()},
                         "one column per entry of the last axis of 'x' " + to_string(x.shape)};
    }
    if (options.bias.data != nullptr) {
        detail::check_shape("linear", "bias", options.bias, Shape{weight.shape[0]}, "one value per row of 'weight'");
    }
    if (options.residual.data != nullptr) {
        detail::check_shape("linear", "residual", options.residual, detail::with_last(x.shape, weight.shape[0]),
                            "the shape of the result");
    }
    if (const ColumnCut& cut = options.cut; cut.blocks > 0) {
        LOGLOG_ASSERT(options.residual.data == nullptr);
        const auto rows =
            std::accumulate(cut.rows_per_leaf.begin(), cut.rows_per_leaf.begin() + cut.blocks, std::int64_t{0}) *
            cut.leaf_count;
        detail::check_shape("linear", "weight", weight, Shape{rows, x.shape.back()}, "the rows of the local leaves");
    }
}

template <class T>
void forward(Tape& tape, const Tensor& x, const Tensor& weight, const LinearOptions& options, const Tensor& y) {
    launch(tape.context(), Gemm<T>{.form = GemmForm::nt,
                                   .a = matrix<const T>(x),
                                   .b = matrix<const T>(weight),
                                   .c = matrix<T>(y),
                                   .bias = reinterpret_cast<const T*>(options.bias.data),
                                   .residual = options.residual.data != nullptr ? matrix<const T>(options.residual)
                                                                                : MatrixView<const T>{},
                                   .residual_scale = static_cast<T>(options.residual_scale)});
}

/// d x of a layer that is not cut, times `scale`.
template <class T>
void input_gradient(Tape& back, std::span<const T> dy, const Tensor& x, const Tensor& weight, T scale) {
    const auto dx = back.gradient_of<T>(x);
    const auto out = static_cast<std::size_t>(weight.shape[0]);
    launch(back.context(), Gemm<T>{.form = GemmForm::nn,
                                   .a = {dy.data(), dy.size() / out, out, out},
                                   .b = matrix<const T>(weight),
                                   .c = matrix_at(dx.values.data(), x),
                                   .alpha = scale,
                                   .accumulate = accumulation(dx.accumulate)});
}

/// to = the sum over local leaves of dy_leaf weight_leaf.
template <class T>
void sum_of_leaf_gradients(Tape& back, std::span<const T> dy, const Tensor& weight, const ColumnCut& cut,
                           const MatrixView<T>& to) {
    const auto out = static_cast<std::size_t>(weight.shape[0]);
    const MatrixView<const T> dy_matrix{dy.data(), dy.size() / out, out, out};
    const auto weight_matrix = matrix<const T>(weight);
    const auto leaves = static_cast<std::size_t>(cut.leaf_count);
    const auto factors = [&](std::size_t leaf, std::size_t block) {
        std::size_t start = 0;
        for (std::size_t i = 0; i < block; ++i) { start += leaves * static_cast<std::size_t>(cut.rows_per_leaf[i]); }
        const auto rows = static_cast<std::size_t>(cut.rows_per_leaf[block]);
        return detail::Factors<T>{some_columns(dy_matrix, start + leaf * rows, rows),
                                  some_rows(weight_matrix, start + leaf * rows, rows)};
    };
    detail::sum_over_leaves(back, GemmForm::nn, {leaves, static_cast<std::size_t>(cut.blocks)}, to, factors);
}

/// All gradients of a layer cut by columns. The input's is summed over ranks while the parameters' are computed, and
/// added to earlier contributions when it is complete, so that the tree of sums is the same for every layout.
template <class T>
void cut_gradients(Tape& back, std::span<const T> dy, const Tensor& x, const Tensor& weight, const Tensor& bias,
                   const ColumnCut& cut) {
    if (!x.needs_gradient()) {
        parameter_gradients<T>(back, dy, x, weight, bias, T{1});
        return;
    }
    const auto dx = back.gradient_of<T>(x);
    Tensor apart;
    if (dx.accumulate) { apart = back.saved(x.shape, x.dtype); }
    const std::span<T> sum = dx.accumulate ? apart.values<T>() : dx.values;
    sum_of_leaf_gradients(back, dy, weight, cut, matrix_at(sum.data(), x));
    if (cut.group != nullptr) {
        const Transfer transfer = cut.group->start_all_reduce_sum(sum);
        parameter_gradients<T>(back, dy, x, weight, bias, T{1}, cut.group);
        cut.group->wait(transfer);
    } else {
        parameter_gradients<T>(back, dy, x, weight, bias, T{1});
    }
    if (dx.accumulate) {
        launch(back.context(), Scale<T>{sum, dx.values, T{1}, true});
        back.release(apart);
    }
}

/// All gradients of a layer without residual.
template <class T>
void gradients(Tape& back, std::span<const T> dy, const Tensor& x, const Tensor& weight, const Tensor& bias,
               const ColumnCut& cut, T scale) {
    if (cut.blocks > 0) {
        cut_gradients(back, dy, x, weight, bias, cut);
        return;
    }
    if (x.needs_gradient()) { input_gradient(back, dy, x, weight, scale); }
    parameter_gradients<T>(back, dy, x, weight, bias, scale);
}

}  // namespace

Tensor linear(Tape& tape, const Tensor& x, const Tensor& weight, const LinearOptions& options) {
    check(x, weight, options);
    const Tensor y = tape.empty(detail::with_last(x.shape, weight.shape[0]), x.dtype);
    with_dtype(x.dtype, [&]<class T>(T) {
        forward<T>(tape, x, weight, options, y);
        tape.record([x, weight, options, y](Tape& back) {
            const std::span<const T> dy = back.collected<T>(y);
            const T scale = options.residual.data != nullptr ? static_cast<T>(options.residual_scale) : T{1};
            gradients<T>(back, dy, x, weight, options.bias, options.cut, scale);
            if (options.residual.data != nullptr) { back.pass_gradient(y, options.residual); }
            back.retire(y);
        });
    });
    return y;
}

Activated linear_activated(Tape& tape, const Tensor& x, const Tensor& weight, const Tensor& bias, Activation activation,
                           const ColumnCut& cut) {
    check(x, weight, {.bias = bias, .cut = cut});
    const Shape shape = detail::with_last(x.shape, weight.shape[0]);
    Activated y{.value = {}, .pre_activation = {}, .activation = activation};
    if (tape.recording()) { y.pre_activation = tape.empty(shape, x.dtype); }
    y.value = tape.saved(shape, x.dtype);
    with_dtype(x.dtype, [&]<class T>(T) {
        launch(tape.context(),
               Gemm<T>{.form = GemmForm::nt,
                       .a = matrix<const T>(x),
                       .b = matrix<const T>(weight),
                       .c = matrix<T>(y.value),
                       .bias = reinterpret_cast<const T*>(bias.data),
                       .pre_activation = tape.recording() ? matrix<T>(y.pre_activation) : MatrixView<T>{},
                       .activation = activation});
        tape.record([x, weight, bias, cut, y](Tape& back) {
            const std::span<const T> dy = back.collected<T>(y.pre_activation);
            back.retire(y.value);
            gradients<T>(back, dy, x, weight, bias, cut, T{1});
            back.retire(y.pre_activation);
        });
    });
    return y;
}

Tensor linear(Tape& tape, const Activated& x, const Tensor& weight, const LinearOptions& options) {
    check(x.value, weight, options);
    const Tensor y = tape.empty(detail::with_last(x.value.shape, weight.shape[0]), x.value.dtype);
    with_dtype(x.value.dtype, [&]<class T>(T) {
        forward<T>(tape, x.value, weight, options, y);
        tape.record([x, weight, options, y](Tape& back) {
            const std::span<const T> dy = back.collected<T>(y);
            const T scale = options.residual.data != nullptr ? static_cast<T>(options.residual_scale) : T{1};
            const auto out = static_cast<std::size_t>(weight.shape[0]);
            T* d_pre = back.gradient_columns_of<T>(x.pre_activation);
            auto target = matrix<T>(x.pre_activation);
            target.data = d_pre;
            launch(back.context(), Gemm<T>{.form = GemmForm::nn,
                                           .a = {dy.data(), dy.size() / out, out, out},
                                           .b = matrix<const T>(weight),
                                           .c = target,
                                           .alpha = scale,
                                           .gate = matrix<const T>(x.pre_activation),
                                           .gate_activation = x.activation});
            parameter_gradients<T>(back, dy, x.value, weight, options.bias, scale);
            if (options.residual.data != nullptr) { back.pass_gradient(y, options.residual); }
            back.retire(y);
        });
    });
    return y;
}

}  // namespace loglog
