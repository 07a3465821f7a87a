#include "engine/ops/short_convolution.hpp"

#include <algorithm>

#include "engine/kernels/short_convolution.hpp"
#include "engine/ops/check_shape.hpp"

namespace loglog {
namespace {

void check_weight(const char* operation, const Tensor& x, const Tensor& weight) {
    constexpr auto most = static_cast<std::int64_t>(most_convolution_taps);
    const auto taps = weight.shape.rank() == 2 ? weight.shape[1] : 0;
    if (taps < 1 || taps > most || weight.shape[0] != x.shape.back()) {
        throw ShapeError{operation, "weight", weight.shape,
                         Shape{x.shape.back(), std::clamp<std::int64_t>(taps, 1, most)},
                         "1 to 8 taps for each channel of 'x' " + to_string(x.shape)};
    }
}

void check(const Tensor& x, const Tensor& weight, const ShortConvolutionOptions& options) {
    check_weight("short_convolution", x, weight);
    const auto rows = x.shape.rows();
    if (options.time < 1 || rows % options.time != 0) {
        throw ShapeError{"short_convolution", "x", x.shape, Shape{options.time, x.shape.back()},
                         "a whole number of sequences of that many tokens"};
    }
    const auto places = static_cast<std::int64_t>(options.document_start.size());
    if (places != 0 && places != rows) {
        throw ShapeError{"short_convolution", "document_start", Shape{places}, Shape{rows},
                         "one place per token of 'x'"};
    }
}

}  // namespace

Tensor short_convolution(Tape& tape, const Tensor& x, const Tensor& weight, const ShortConvolutionOptions& options) {
    check(x, weight, options);
    const ShortConvolutionSizes sizes{.rows = static_cast<std::size_t>(x.shape.rows()),
                                      .time = static_cast<std::size_t>(options.time),
                                      .channels = static_cast<std::size_t>(x.shape.back()),
                                      .taps = static_cast<std::size_t>(weight.shape[1])};
    const Tensor y = tape.empty(x.shape, x.dtype);
    with_dtype(x.dtype, [&]<class T>(T) {
        const auto starts = options.document_start;
        launch(tape.context(),
               ShortConvolutionForward<T>{sizes, x.values<T>(), weight.values<T>(), starts, y.values<T>()});
        tape.record([x, weight, y, sizes, starts](Tape& back) {
            ShortConvolutionBackward<T> kernel{
                sizes, x.values<T>(), weight.values<T>(), starts, back.collected<T>(y), {}, {}};
            if (x.needs_gradient()) {
                const auto dx = back.gradient_of<T>(x);
                kernel.dx = dx.values;
                kernel.accumulate_dx = dx.accumulate;
            }
            if (weight.needs_gradient()) {
                const auto dweight = back.gradient_of<T>(weight);
                kernel.dweight = dweight.values;
                kernel.accumulate_dweight = dweight.accumulate;
            }
            launch(back.context(), kernel);
            back.retire(y);
        });
    });
    return y;
}

Tensor short_convolution_step(Tape& tape, const Tensor& x, const Tensor& weight, const Tensor& past) {
    check_weight("short_convolution_step", x, weight);
    detail::check_shape("short_convolution_step", "x", x, Shape{1, x.shape.back()}, "one token of one sequence");
    const auto taps = weight.shape[1];
    if (taps > 1) {
        detail::check_shape("short_convolution_step", "past", past, Shape{taps - 1, x.shape.back()},
                            "a row for each token that the taps reach back");
    }
    const Tensor y = tape.empty(x.shape, x.dtype);
    with_dtype(x.dtype, [&]<class T>(T) {
        launch(tape.context(),
               ShortConvolutionStep<T>{static_cast<std::size_t>(x.shape.back()), static_cast<std::size_t>(taps),
                                       x.values<T>(), weight.values<T>(), past.values<T>(), y.values<T>()});
    });
    return y;
}

}  // namespace loglog
