#include "engine/ops/rms_norm.hpp"

#include "engine/kernels/rms_norm.hpp"
#include "engine/ops/check_shape.hpp"

namespace loglog {

Tensor rms_norm(Tape& tape, const Tensor& x, const Tensor& gain, double epsilon) {
    detail::check_shape("rms_norm", "gain", gain, Shape{x.shape.back()}, "one value per entry of the last axis of 'x'");
    const auto width = static_cast<std::size_t>(x.shape.back());
    const RmsNormSizes sizes{.tokens = static_cast<std::size_t>(x.shape.rows()),
                             .groups = 1,
                             .width = width,
                             .x_stride = width,
                             .y_stride = width};
    const Tensor inv_rms = tape.saved(Shape{x.shape.rows()}, x.dtype);
    const Tensor y = tape.empty(x.shape, x.dtype);
    with_dtype(x.dtype, [&]<class T>(T) {
        launch(tape.context(), RmsNormForward<T>{sizes, x.values<T>().data(), gain.values<T>(), y.values<T>().data(),
                                                 inv_rms.values<T>(), static_cast<T>(epsilon)});
        tape.record([x, gain, inv_rms, y, sizes](Tape& back) {
            const auto dx = back.gradient_of<T>(x);
            const auto dgain = back.gradient_of<T>(gain);
            launch(back.context(), RmsNormBackward<T>{sizes, x.values<T>().data(), gain.values<T>(),
                                                      inv_rms.values<T>(), back.collected<T>(y).data(),
                                                      dx.values.data(), dgain.values, dx.accumulate, dgain.accumulate});
            back.retire(y);
            back.retire(inv_rms);
        });
    });
    return y;
}

void head_norm(Tape& tape, const Heads& x, const Tensor& gain, double epsilon, const Heads& y) {
    const auto tokens = x.rows.shape.rows();
    if (gain.shape.rank() != 1 || y.heads != x.heads || y.rows.shape.rows() != tokens) {
        throw ShapeError{"head_norm", "y", y.rows.shape, Shape{tokens, y.rows.shape.back()},
                         "as many tokens and heads as 'x', and a gain of one value per channel of a head"};
    }
    const RmsNormSizes sizes{.tokens = static_cast<std::size_t>(tokens),
                             .groups = static_cast<std::size_t>(x.heads),
                             .width = static_cast<std::size_t>(gain.shape[0]),
                             .x_stride = x.stride(),
                             .y_stride = y.stride()};
    const Tensor inv_rms = tape.saved(Shape{tokens, x.heads}, x.rows.dtype);
    with_dtype(x.rows.dtype, [&]<class T>(T) {
        launch(tape.context(), RmsNormForward<T>{sizes, x.view<const T>().data, gain.values<T>(), y.view<T>().data,
                                                 inv_rms.values<T>(), static_cast<T>(epsilon)});
        tape.record([x, gain, inv_rms, y, sizes](Tape& back) {
            const auto dgain = back.gradient_of<T>(gain);
            launch(back.context(),
                   RmsNormBackward<T>{sizes, x.view<const T>().data, gain.values<T>(), inv_rms.values<T>(),
                                      y.view_of(back.collected<T>(y.rows).data()).data,
                                      x.view_of(back.gradient_columns_of<T>(x.rows)).data, dgain.values, false,
                                      dgain.accumulate});
            back.retire(inv_rms);
        });
    });
}

}  // namespace loglog
