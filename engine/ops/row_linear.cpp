#include "engine/ops/row_linear.hpp"

#include "engine/ops/check_shape.hpp"
#include "engine/ops/linear_parts.hpp"

namespace loglog {
namespace {

using detail::matrix;

std::int64_t ranks_that_share_rows(const RowCut& cut) { return cut.scatter_rows ? cut.group->size() : 1; }

void check(const Tensor& x, const Tensor& weight, const RowCut& cut) {
    if (x.shape.rank() < 1 || weight.shape.rank() != 2 || weight.shape[1] != x.shape.back() ||
        weight.shape[1] % cut.leaf_count != 0) {
        const auto out = weight.shape.rank() == 2 ? weight.shape[0] : 0;
        throw ShapeError{"row_linear", "weight", weight.shape, Shape{out, x.shape.rank() < 1 ? 0 : x.shape.back()},
                         "one column per entry of the last axis of 'x' " + to_string(x.shape) + ", shared by " +
                             std::to_string(cut.leaf_count) + " leaves"};
    }
    if (const auto ranks = ranks_that_share_rows(cut); x.shape.rows() % ranks != 0) {
        throw ShapeError{"row_linear", "x", x.shape, Shape{x.shape.rows() / ranks * ranks, x.shape.back()},
                         "rows that " + std::to_string(ranks) + " ranks can share"};
    }
}

/// The sum over local leaves.
template <class T>
void local_sum(Tape& tape, const Tensor& x, const Tensor& weight, std::int64_t leaf_count, const Tensor& to) {
    const auto columns = static_cast<std::size_t>(weight.shape[1] / leaf_count);
    const auto factors = [&](std::size_t leaf, std::size_t) {
        return detail::Factors<T>{detail::some_columns(matrix<const T>(x), leaf * columns, columns),
                                  detail::some_columns(matrix<const T>(weight), leaf * columns, columns)};
    };
    detail::sum_over_leaves(tape, GemmForm::nt, {static_cast<std::size_t>(leaf_count), 1}, matrix<T>(to), factors);
}

template <class T>
Tensor forward(Tape& tape, const Tensor& x, const Tensor& weight, const RowCut& cut) {
    const std::int64_t out = weight.shape[0];
    if (!cut.scatter_rows) {
        const Tensor y = tape.empty(detail::with_last(x.shape, out), x.dtype);
        local_sum<T>(tape, x, weight, cut.leaf_count, y);
        if (cut.group != nullptr) { cut.group->all_reduce_sum(y.values<T>()); }
        return y;
    }
    const Tensor y = tape.empty(Shape{x.shape.rows() / ranks_that_share_rows(cut), out}, x.dtype);
    const Tensor all = tape.saved(Shape{x.shape.rows(), out}, x.dtype);
    local_sum<T>(tape, x, weight, cut.leaf_count, all);
    cut.group->reduce_scatter_sum(all.values<T>(), y.values<T>());
    tape.release(all);
    return y;
}

/// The gradient of the whole result: `whole` is where it is gathered if ranks have parts of it.
template <class T>
std::span<const T> whole_gradient(Tape& back, const Tensor& y, const RowCut& cut, Tensor& whole) {
    const std::span<const T> dy = back.collected<T>(y);
    if (!cut.scatter_rows) { return dy; }
    whole = back.saved(Shape{y.shape.rows() * ranks_that_share_rows(cut), y.shape.back()}, y.dtype);
    cut.group->all_gather(dy, whole.values<T>());
    return whole.values<T>();
}

/// dx = dy weight, in one product over all local columns.
template <class T>
Gemm<T> input_gradient(std::span<const T> dy, const Tensor& weight, const Tensor& x, T* dx) {
    const auto out = static_cast<std::size_t>(weight.shape[0]);
    return {.form = GemmForm::nn,
            .a = {dy.data(), dy.size() / out, out, out},
            .b = matrix<const T>(weight),
            .c = detail::matrix_at(dx, x)};
}

/// d weight, and the end of y.
template <class T>
void finish(Tape& back, std::span<const T> dy, const Tensor& x, const Tensor& weight, const Tensor& y,
            const Tensor& whole) {
    detail::parameter_gradients<T>(back, dy, x, weight, Tensor{}, T{1});
    if (whole.data != nullptr) { back.retire(whole); }
    back.retire(y);
}

}  // namespace

Tensor row_linear(Tape& tape, const Tensor& x, const Tensor& weight, const RowCut& cut) {
    check(x, weight, cut);
    return with_dtype(x.dtype, [&]<class T>(T) {
        const Tensor y = forward<T>(tape, x, weight, cut);
        tape.record([x, weight, cut, y](Tape& back) {
            Tensor whole;
            const auto dy = whole_gradient<T>(back, y, cut, whole);
            if (x.needs_gradient()) {
                const auto dx = back.gradient_of<T>(x);
                auto gemm = input_gradient<T>(dy, weight, x, dx.values.data());
                gemm.accumulate = detail::accumulation(dx.accumulate);
                launch(back.context(), gemm);
            }
            finish<T>(back, dy, x, weight, y, whole);
        });
        return y;
    });
}

Tensor row_linear(Tape& tape, const Activated& x, const Tensor& weight, const RowCut& cut) {
    check(x.value, weight, cut);
    return with_dtype(x.value.dtype, [&]<class T>(T) {
        const Tensor y = forward<T>(tape, x.value, weight, cut);
        tape.record([x, weight, cut, y](Tape& back) {
            Tensor whole;
            const auto dy = whole_gradient<T>(back, y, cut, whole);
            T* d_pre = back.gradient_columns_of<T>(x.pre_activation);
            auto gemm = input_gradient<T>(dy, weight, x.pre_activation, d_pre);
            gemm.gate = matrix<const T>(x.pre_activation);
            gemm.gate_activation = x.activation;
            launch(back.context(), gemm);
            finish<T>(back, dy, x.value, weight, y, whole);
        });
        return y;
    });
}

Tensor bias_residual(Tape& tape, const Tensor& x, const Tensor& bias, const Tensor& residual, double scale) {
    if (bias.data != nullptr) {
        detail::check_shape("bias_residual", "bias", bias, Shape{x.shape.back()}, "one value per column of 'x'");
    }
    if (residual.data != nullptr) {
        detail::check_shape("bias_residual", "residual", residual, x.shape, "the shape of 'x'");
    }
    const Tensor y = tape.empty(x.shape, x.dtype);
    with_dtype(x.dtype, [&]<class T>(T) {
        launch(tape.context(), BiasResidual<T>{x.values<T>(), bias.values<T>(), residual.values<T>(), y.values<T>(),
                                               static_cast<std::size_t>(x.shape.back()), static_cast<T>(scale)});
        tape.record([x, bias, residual, y, scale = static_cast<T>(scale)](Tape& back) {
            const std::span<const T> dy = back.collected<T>(y);
            if (bias.needs_gradient()) {
                back.weight_gradient([dy, bias, scale](Tape& late) {
                    const auto target = late.gradient_of<T>(bias);
                    launch(late.context(), ColumnSum<T>{dy, target.values, scale, target.accumulate});
                });
            }
            // One of the two may take the buffer over: the residual, or x if it gets dy as it is.
            const bool hands_to_x = scale == T{1} && !residual.needs_gradient();
            if (x.needs_gradient() && !hands_to_x) {
                const auto dx = back.gradient_of<T>(x);
                launch(back.context(), Scale<T>{dy, dx.values, scale, dx.accumulate});
            }
            back.pass_gradient(y, hands_to_x ? x : residual);
            back.retire(y);
        });
    });
    return y;
}

Tensor gather_rows(Tape& tape, const Tensor& x, Group& group) {
    const Tensor y = tape.empty(Shape{group.size() * x.shape.rows(), x.shape.back()}, x.dtype);
    with_dtype(x.dtype, [&]<class T>(T) {
        group.all_gather(x.values<T>(), y.values<T>());
        tape.record([x, y, &group](Tape& back) {
            const std::span<T> dy = back.collected<T>(y);
            if (x.needs_gradient()) {
                const auto dx = back.gradient_of<T>(x);
                if (dx.accumulate) {
                    const Tensor sum = back.saved(x.shape, x.dtype);
                    group.reduce_scatter_sum(dy, sum.values<T>());
                    launch(back.context(), Scale<T>{sum.values<T>(), dx.values, T{1}, true});
                    back.release(sum);
                } else {
                    group.reduce_scatter_sum(dy, dx.values);
                }
            }
            back.retire(y);
        });
    });
    return y;
}

}  // namespace loglog
