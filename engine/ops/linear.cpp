#include "engine/ops/linear.hpp"

#include "engine/kernels/elementwise.hpp"
#include "engine/kernels/gemm.hpp"
#include "engine/ops/check_shape.hpp"

namespace loglog {
namespace {

template <class T>
MatrixView<T> matrix(const Tensor& tensor) {
    const auto columns = static_cast<std::size_t>(tensor.shape.back());
    return {reinterpret_cast<T*>(tensor.data), static_cast<std::size_t>(tensor.shape.rows()), columns, columns};
}

template <class T>
MatrixView<T> matrix(const GradientTarget<T>& target, const Tensor& shape_of) {
    const auto columns = static_cast<std::size_t>(shape_of.shape.back());
    return {target.values.data(), static_cast<std::size_t>(shape_of.shape.rows()), columns, columns};
}

template <class T>
MatrixView<const T> const_matrix(const MatrixView<T>& view) {
    return {view.data, view.rows, view.columns, view.stride};
}

constexpr Accumulate accumulation(bool accumulate) { return accumulate ? Accumulate::yes : Accumulate::no; }

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
}

/// d weight and d bias, given dy, times `scale`.
template <class T>
void parameter_gradients(Tape& tape, std::span<const T> dy, const Tensor& x, const Tensor& weight, const Tensor& bias,
                         T scale) {
    const auto out = static_cast<std::size_t>(weight.shape[0]);
    const MatrixView<const T> dy_matrix{dy.data(), dy.size() / out, out, out};
    if (weight.needs_gradient()) {
        const auto target = tape.gradient_of<T>(weight);
        launch(tape.context(), Gemm<T>{.form = GemmForm::tn,
                                       .a = dy_matrix,
                                       .b = matrix<const T>(x),
                                       .c = matrix(target, weight),
                                       .alpha = scale,
                                       .accumulate = accumulation(target.accumulate)});
    }
    if (bias.needs_gradient()) {
        const auto target = tape.gradient_of<T>(bias);
        launch(tape.context(), ColumnSum<T>{dy, target.values, scale, target.accumulate});
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

}  // namespace

Tensor linear(Tape& tape, const Tensor& x, const Tensor& weight, const LinearOptions& options) {
    check(x, weight, options);
    const Tensor y = tape.empty(detail::with_last(x.shape, weight.shape[0]), x.dtype);
    with_dtype(x.dtype, [&]<class T>(T) {
        forward<T>(tape, x, weight, options, y);
        tape.record([x, weight, options, y](Tape& back) {
            const std::span<const T> dy = back.collected<T>(y);
            const T scale = options.residual.data != nullptr ? static_cast<T>(options.residual_scale) : T{1};
            if (x.needs_gradient()) {
                const auto dx = back.gradient_of<T>(x);
                const auto out = static_cast<std::size_t>(weight.shape[0]);
                launch(back.context(), Gemm<T>{.form = GemmForm::nn,
                                               .a = {dy.data(), dy.size() / out, out, out},
                                               .b = matrix<const T>(weight),
                                               .c = matrix(dx, x),
                                               .alpha = scale,
                                               .accumulate = accumulation(dx.accumulate)});
            }
            parameter_gradients<T>(back, dy, x, weight, options.bias, scale);
            if (options.residual.data != nullptr) { back.pass_gradient(y, options.residual); }
            back.retire(y);
        });
    });
    return y;
}

Activated linear_activated(Tape& tape, const Tensor& x, const Tensor& weight, const Tensor& bias,
                           Activation activation, const ColumnCut&) {
    check(x, weight, {.bias = bias});
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
        tape.record([x, weight, bias, y](Tape& back) {
            const std::span<const T> dy = back.collected<T>(y.pre_activation);
            back.retire(y.value);
            if (x.needs_gradient()) {
                const auto dx = back.gradient_of<T>(x);
                const auto out = static_cast<std::size_t>(weight.shape[0]);
                launch(back.context(), Gemm<T>{.form = GemmForm::nn,
                                               .a = {dy.data(), dy.size() / out, out, out},
                                               .b = matrix<const T>(weight),
                                               .c = matrix(dx, x),
                                               .accumulate = accumulation(dx.accumulate)});
            }
            parameter_gradients<T>(back, dy, x, weight, bias, T{1});
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
