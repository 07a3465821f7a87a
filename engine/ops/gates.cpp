#include "engine/ops/gates.hpp"

#include "engine/kernels/decay_gate.hpp"
#include "engine/kernels/log_sigmoid_gate.hpp"
#include "engine/kernels/sigmoid_gate.hpp"
#include "engine/ops/check_shape.hpp"

namespace loglog {
namespace {

/// Where to put a contribution to x's gradient; nowhere if it has none.
template <class T>
GradientTarget<T> wanted_gradient_of(Tape& back, const Tensor& x) {
    return x.needs_gradient() ? back.gradient_of<T>(x) : GradientTarget<T>{{}, false};
}

}  // namespace

Tensor decay_gate(Tape& tape, const Tensor& x, const Tensor& log_rate, const Tensor& offset) {
    const Shape heads{x.shape.back()};
    detail::check_shape("decay_gate", "log_rate", log_rate, heads, "one value per column of 'x'");
    detail::check_shape("decay_gate", "offset", offset, heads, "one value per column of 'x'");
    const Tensor g = tape.empty(x.shape, x.dtype);
    with_dtype(x.dtype, [&]<class T>(T) {
        launch(tape.context(),
               DecayGateForward<T>{x.values<T>(), log_rate.values<T>(), offset.values<T>(), g.values<T>()});
        tape.record([x, log_rate, offset, g](Tape& back) {
            const auto dg = back.collected<T>(g);
            const auto dx = wanted_gradient_of<T>(back, x);
            const auto d_log_rate = wanted_gradient_of<T>(back, log_rate);
            const auto d_offset = wanted_gradient_of<T>(back, offset);
            launch(back.context(),
                   DecayGateBackward<T>{x.values<T>(), log_rate.values<T>(), offset.values<T>(), g.values<T>(), dg,
                                        dx.values, d_log_rate.values, d_offset.values, dx.accumulate,
                                        d_log_rate.accumulate, d_offset.accumulate});
            back.retire(g);
        });
    });
    return g;
}

Tensor log_sigmoid_gate(Tape& tape, const Tensor& x, const Tensor& bias, double divisor) {
    if (bias.data != nullptr) {
        detail::check_shape("log_sigmoid_gate", "bias", bias, Shape{x.shape.back()}, "one value per column of 'x'");
    }
    const auto columns = static_cast<std::size_t>(x.shape.back());
    const Tensor g = tape.empty(x.shape, x.dtype);
    with_dtype(x.dtype, [&]<class T>(T) {
        const T factor = static_cast<T>(1 / divisor);
        launch(tape.context(),
               LogSigmoidGateForward<T>{x.values<T>(), bias.values<T>(), g.values<T>(), columns, factor});
        tape.record([x, bias, g, columns, factor](Tape& back) {
            const auto dg = back.collected<T>(g);
            const auto d_bias = wanted_gradient_of<T>(back, bias);
            launch(back.context(), LogSigmoidGateBackward<T>{x.values<T>(), bias.values<T>(), dg, dg, d_bias.values,
                                                             columns, factor, d_bias.accumulate});
            back.pass_gradient(g, x);
            back.retire(g);
        });
    });
    return g;
}

Tensor sigmoid(Tape& tape, const Tensor& x, double scale) {
    const Tensor y = tape.empty(x.shape, x.dtype);
    with_dtype(x.dtype, [&]<class T>(T) {
        const T factor = static_cast<T>(scale);
        launch(tape.context(), SigmoidForward<T>{x.values<T>(), y.values<T>(), factor});
        tape.record([x, y, factor](Tape& back) {
            const auto dy = back.collected<T>(y);
            launch(back.context(), SigmoidBackward<T>{x.values<T>(), dy, dy, factor});
            back.pass_gradient(y, x);
            back.retire(y);
        });
    });
    return y;
}

Tensor gated(Tape& tape, const Tensor& y, const Tensor& x) {
    detail::check_shape("gated", "x", x, y.shape, "the shape of 'y'");
    const Tensor out = tape.empty(y.shape, y.dtype);
    with_dtype(y.dtype, [&]<class T>(T) {
        launch(tape.context(), GatedForward<T>{y.values<T>(), x.values<T>(), out.values<T>()});
        tape.record([y, x, out](Tape& back) {
            const auto d_out = back.collected<T>(out);
            const auto dy = wanted_gradient_of<T>(back, y);
            const auto dx = wanted_gradient_of<T>(back, x);
            launch(back.context(), GatedBackward<T>{y.values<T>(), x.values<T>(), d_out, dy.values, dx.values,
                                                    dy.accumulate, dx.accumulate});
            back.retire(out);
        });
    });
    return out;
}

void head_silu(Tape& tape, const Heads& x, std::int64_t head_dim, const Heads& y) {
    const auto rows = x.rows.shape.rows();
    if (y.heads != x.heads || y.rows.shape.rows() != rows) {
        throw ShapeError{"head_silu", "y", Shape{y.rows.shape.rows(), y.heads}, Shape{rows, x.heads},
                         "as many tokens and heads as 'x'"};
    }
    const auto tokens = static_cast<std::size_t>(rows);
    const auto width = static_cast<std::size_t>(x.heads * head_dim);
    with_dtype(x.rows.dtype, [&]<class T>(T) {
        launch(tape.context(),
               SiluRows<T>{x.view<const T>().data, x.stride(), y.view<T>().data, y.stride(), tokens, width});
        tape.record([x, y, tokens, width](Tape& back) {
            const T* dy = y.view_of(back.collected<T>(y.rows).data()).data;
            T* dx = x.view_of(back.gradient_columns_of<T>(x.rows)).data;
            launch(back.context(),
                   SiluRowsBackward<T>{x.view<const T>().data, x.stride(), dy, y.stride(), dx, tokens, width});
        });
    });
}

}  // namespace loglog
