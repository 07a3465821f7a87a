#include "engine/ops/sigmoid_cross_entropy.hpp"

#include "engine/kernels/elementwise.hpp"
#include "engine/kernels/sigmoid_cross_entropy.hpp"
#include "engine/ops/check_shape.hpp"

namespace loglog {

Tensor sigmoid_cross_entropy(Tape& tape, const Tensor& z, const Tensor& target) {
    detail::check_shape("sigmoid_cross_entropy", "target", target, z.shape, "one target per value of 'z'");
    const Tensor loss = tape.empty(Shape{1}, z.dtype);
    const Tensor dz = tape.saved(z.shape, z.dtype);
    with_dtype(z.dtype, [&]<class T>(T) {
        launch(tape.context(),
               SigmoidCrossEntropy<T>{z.values<T>(), target.values<T>(), loss.values<T>(), dz.values<T>()});
        tape.record([z, dz, loss](Tape& back) {
            if (z.needs_gradient()) {
                const T upstream = back.counting() ? T{1} : back.collected<T>(loss)[0];
                const auto to = back.gradient_of<T>(z);
                launch(back.context(), Scale<T>{dz.values<T>(), to.values, upstream, to.accumulate});
            }
            back.retire(dz);
            back.retire(loss);
        });
    });
    return loss;
}

}  // namespace loglog
