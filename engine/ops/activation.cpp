#include "engine/ops/activation.hpp"

#include "engine/ops/check_shape.hpp"

namespace loglog {

Tensor activate(Tape& tape, const Tensor& x, Activation activation) {
    const Tensor y = tape.empty(x.shape, x.dtype);
    with_dtype(x.dtype, [&]<class T>(T) {
        launch(tape.context(), ActivationForward<T>{activation, x.values<T>(), y.values<T>()});
        tape.record([x, y, activation](Tape& back) {
            const auto dy = back.collected<T>(y);
            launch(back.context(), ActivationBackward<T>{activation, x.values<T>(), dy, dy});
            back.pass_gradient(y, x);
            back.retire(y);
        });
    });
    return y;
}

Tensor swiglu(Tape& tape, const Tensor& x) {
    const auto width = x.shape.back() / 2;
    if (x.shape.back() != 2 * width) {
        throw ShapeError{"swiglu", "x", x.shape, detail::with_last(x.shape, 2 * width), "gate and up of equal width"};
    }
    const Tensor y = tape.empty(detail::with_last(x.shape, width), x.dtype);
    with_dtype(x.dtype, [&]<class T>(T) {
        const auto columns = static_cast<std::size_t>(width);
        launch(tape.context(), SwigluForward<T>{x.values<T>(), y.values<T>(), columns});
        tape.record([x, y, columns](Tape& back) {
            const std::span<const T> dy = back.collected<T>(y);
            T* dx = back.gradient_columns_of<T>(x);
            launch(back.context(), SwigluBackward<T>{x.values<T>(), dy, {dx, x.elements()}, columns});
            back.retire(y);
        });
    });
    return y;
}

}  // namespace loglog
