#include "engine/ops/dropout.hpp"

#include "engine/kernels/elementwise.hpp"
#include "engine/ops/check_shape.hpp"

namespace loglog {

Tensor dropout(Tape& tape, const Tensor& x, const Tensor& residual, const DropoutOptions& options) {
    if (residual.data != nullptr) { detail::check_shape("dropout", "residual", residual, x.shape, "the shape of 'x'"); }
    const Tensor y = tape.empty(x.shape, x.dtype);
    with_dtype(x.dtype, [&]<class T>(T) {
        const Dropout<T> drop{.x = x.values<T>(),
                              .residual = residual.values<T>(),
                              .y = y.values<T>(),
                              .width = static_cast<std::size_t>(x.shape.back()),
                              .probability = static_cast<float>(options.probability),
                              .key = Random{options.seed, Stream::dropout_residual}.key(),
                              .step = options.step,
                              .layer = options.place,
                              .first_row = options.first_row,
                              .scale = static_cast<T>(options.scale)};
        launch(tape.context(), drop);
        tape.record([x, residual, y, drop](Tape& back) {
            const std::span<const T> dy = back.collected<T>(y);
            if (x.needs_gradient()) {
                const auto dx = back.gradient_of<T>(x);
                auto drop_back = drop;
                drop_back.x = dy;
                drop_back.residual = dx.accumulate ? std::span<const T>{dx.values} : std::span<const T>{};
                drop_back.y = dx.values;
                launch(back.context(), drop_back);
            }
            if (residual.data != nullptr) { back.pass_gradient(y, residual); }
            back.retire(y);
        });
    });
    return y;
}

}  // namespace loglog
