#include "engine/ops/columns.hpp"

#include "engine/kernels/copy_columns.hpp"
#include "engine/ops/check_shape.hpp"
#include "engine/ops/linear_parts.hpp"

namespace loglog {
namespace {

template <class T>
MatrixView<T> leaf_rows(const Tensor& weight, T* data, std::size_t leaf, std::size_t leaves) {
    const auto rows = static_cast<std::size_t>(weight.shape[0]) / leaves;
    return detail::some_rows(detail::matrix_at(data, weight), leaf * rows, rows);
}

template <class T>
MatrixView<T> leaf_columns(const Tensor& x, T* data, std::size_t leaf, std::size_t leaves) {
    const auto columns = static_cast<std::size_t>(x.shape.back()) / leaves;
    return detail::some_columns(detail::matrix_at(data, x), leaf * columns, columns);
}

template <class T>
void leafwise_gradients(Tape& back, const Tensor& x, const Tensor& weight, const Tensor& y, std::size_t leaves) {
    const T* dy = back.collected<T>(y).data();
    if (x.needs_gradient()) {
        const auto dx = back.gradient_of<T>(x);
        for (std::size_t leaf = 0; leaf < leaves; ++leaf) {
            launch(back.context(), Gemm<T>{.form = GemmForm::nn,
                                           .a = leaf_columns<const T>(y, dy, leaf, leaves),
                                           .b = leaf_rows<const T>(weight, weight.values<T>().data(), leaf, leaves),
                                           .c = leaf_columns<T>(x, dx.values.data(), leaf, leaves),
                                           .accumulate = detail::accumulation(dx.accumulate)});
        }
    }
    if (!weight.needs_gradient()) { return; }
    back.weight_gradient([x, weight, y, dy, leaves](Tape& late) {
        const auto target = late.gradient_of<T>(weight);
        for (std::size_t leaf = 0; leaf < leaves; ++leaf) {
            launch(late.context(), Gemm<T>{.form = GemmForm::tn,
                                           .a = leaf_columns<const T>(y, dy, leaf, leaves),
                                           .b = leaf_columns<const T>(x, x.values<T>().data(), leaf, leaves),
                                           .c = leaf_rows<T>(weight, target.values.data(), leaf, leaves),
                                           .accumulate = detail::accumulation(target.accumulate)});
        }
    });
}

}  // namespace

Tensor take_columns(Tape& tape, const Tensor& x, std::int64_t first, std::int64_t count) {
    if (x.shape.rank() != 2 || first < 0 || count < 1 || first + count > x.shape.back()) {
        throw ShapeError{"take_columns", "x", x.shape, Shape{x.shape.rows(), first + count}, "at least these columns"};
    }
    const Tensor y = tape.empty(Shape{x.shape[0], count}, x.dtype);
    const auto rows = static_cast<std::size_t>(x.shape[0]);
    const auto columns = static_cast<std::size_t>(count);
    const auto stride = static_cast<std::size_t>(x.shape.back());
    with_dtype(x.dtype, [&]<class T>(T) {
        launch(tape.context(),
               CopyColumns<T>{x.values<T>().data() + first, stride, y.values<T>().data(), columns, rows, columns});
        tape.record([x, y, first, rows, columns, stride](Tape& back) {
            const T* dy = back.collected<T>(y).data();
            T* dx = back.gradient_columns_of<T>(x) + first;
            launch(back.context(), CopyColumns<T>{dy, columns, dx, stride, rows, columns});
            back.retire(y);
        });
    });
    return y;
}

Tensor leafwise_linear(Tape& tape, const Tensor& x, const Tensor& weight, std::int64_t leaves) {
    if (weight.shape.rank() != 2 || weight.shape[1] * leaves != x.shape.back() || weight.shape[0] % leaves != 0) {
        const auto out = weight.shape.rank() == 2 ? weight.shape[0] : 0;
        throw ShapeError{"leafwise_linear", "weight", weight.shape, Shape{out, x.shape.back() / leaves},
                         "a column per input of each of " + std::to_string(leaves) + " leaves"};
    }
    const Tensor y = tape.empty(Shape{x.shape.rows(), weight.shape[0]}, x.dtype);
    const auto count = static_cast<std::size_t>(leaves);
    with_dtype(x.dtype, [&]<class T>(T) {
        for (std::size_t leaf = 0; leaf < count; ++leaf) {
            launch(tape.context(), Gemm<T>{.form = GemmForm::nt,
                                           .a = leaf_columns<const T>(x, x.values<T>().data(), leaf, count),
                                           .b = leaf_rows<const T>(weight, weight.values<T>().data(), leaf, count),
                                           .c = leaf_columns<T>(y, y.values<T>().data(), leaf, count)});
        }
        tape.record([x, weight, y, count](Tape& back) {
            leafwise_gradients<T>(back, x, weight, y, count);
            back.retire(y);
        });
    });
    return y;
}

}  // namespace loglog
