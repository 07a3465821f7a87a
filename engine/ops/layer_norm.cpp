#include "engine/ops/layer_norm.hpp"

#include "engine/kernels/layer_norm.hpp"
#include "engine/ops/check_shape.hpp"

namespace loglog {

Tensor layer_norm(Tape& tape, const Tensor& x, const Tensor& gain, const Tensor& bias, double epsilon) {
    detail::check_shape("layer_norm", "gain", gain, Shape{x.shape.back()},
                        "one value per entry of the last axis of 'x'");
    if (bias.data != nullptr) {
        detail::check_shape("layer_norm", "bias", bias, Shape{x.shape.back()},
                            "one value per entry of the last axis of 'x'");
    }
    const Tensor mean = tape.saved(Shape{x.shape.rows()}, x.dtype);
    const Tensor inv_std = tape.saved(Shape{x.shape.rows()}, x.dtype);
    const Tensor y = tape.empty(x.shape, x.dtype);
    with_dtype(x.dtype, [&]<class T>(T) {
        launch(tape.context(), LayerNormForward<T>{x.values<T>(), gain.values<T>(), bias.values<T>(), y.values<T>(),
                                                   mean.values<T>(), inv_std.values<T>(), static_cast<T>(epsilon)});
        tape.record([x, gain, bias, mean, inv_std, y](Tape& back) {
            const auto dx = back.gradient_of<T>(x);
            const auto dgain = back.gradient_of<T>(gain);
            const auto dbias = bias.needs_gradient() ? back.gradient_of<T>(bias).values : std::span<T>{};
            launch(back.context(), LayerNormBackward<T>{x.values<T>(), gain.values<T>(), mean.values<T>(),
                                                        inv_std.values<T>(), back.collected<T>(y), dx.values,
                                                        dgain.values, dbias, dx.accumulate, dgain.accumulate});
            back.retire(y);
            back.retire(inv_std);
            back.retire(mean);
        });
    });
    return y;
}

}  // namespace loglog
