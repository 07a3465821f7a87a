#include "engine/ops/feature_maps.hpp"

#include <cmath>
#include <string>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/kernels/cosformer_features.hpp"
#include "engine/kernels/gemm.hpp"
#include "engine/ops/check_shape.hpp"
#include "engine/ops/linear_parts.hpp"

namespace loglog {
namespace {

void check_heads(const char* operation, const Heads& x, std::int64_t head_dim) {
    const auto& shape = x.rows.shape;
    if (head_dim < 1 || x.first_column < 0 || x.first_column + x.heads * head_dim > shape.back()) {
        throw ShapeError{operation, "x", shape, Shape{shape.rows(), x.first_column + x.heads * head_dim},
                         std::to_string(x.heads) + " heads of " + std::to_string(head_dim) + " channels from column " +
                             std::to_string(x.first_column) + " on"};
    }
}

/// One head's columns of rows that start at `data`.
template <class T>
MatrixView<T> head_matrix(const HeadsView<T>& heads, std::size_t rows, std::size_t head, std::size_t width) {
    return {heads.data + head * width, rows, width, heads.token_stride};
}

/// y += alpha (x of each head times op(directions)), or y = that.
template <class T>
void multiply_heads(Tape& tape, GemmForm form, const HeadsView<const T>& x, std::size_t x_width,
                    const Tensor& directions, const HeadsView<T>& y, std::size_t y_width, const PerformerSizes& s,
                    Accumulate accumulate) {
    const T alpha = static_cast<T>(1 / std::sqrt(std::sqrt(static_cast<double>(s.head_dim))));
    for (std::size_t head = 0; head < s.heads; ++head) {
        launch(tape.context(), Gemm<T>{.form = form,
                                       .a = head_matrix(x, s.rows, head, x_width),
                                       .b = detail::matrix<const T>(directions),
                                       .c = head_matrix(y, s.rows, head, y_width),
                                       .alpha = alpha,
                                       .accumulate = accumulate});
    }
}

/// Makes the last of `rows` orthogonal to those before it; twice, since once leaves rounding errors where little
/// remains (Giraud et al. 2005, doi:10.1007/s00211-005-0615-4). The rows before it have length 1; so has it then.
void make_orthogonal(std::vector<double>& rows, std::size_t dim) {
    double* last = rows.data() + rows.size() - dim;
    const auto dot = [dim](const double* a, const double* b) {
        double sum = 0;
        for (std::size_t i = 0; i < dim; ++i) { sum += a[i] * b[i]; }
        return sum;
    };
    for (int round = 0; round < 2; ++round) {
        for (const double* row = rows.data(); row != last; row += dim) {
            const double part = dot(row, last);
            for (std::size_t i = 0; i < dim; ++i) { last[i] -= part * row[i]; }
        }
    }
    const double length = std::sqrt(dot(last, last));
    for (std::size_t i = 0; i < dim; ++i) { last[i] /= length; }
}

}  // namespace

Tensor performer_features(Tape& tape, const Heads& x, const Tensor& directions, PerformerSide side) {
    if (directions.shape.rank() != 2) {
        throw ShapeError{"performer_features", "directions", directions.shape, Shape{1, x.rows.shape.back()},
                         "a row per feature and a column per channel of a head"};
    }
    const auto head_dim = directions.shape[1];
    check_heads("performer_features", x, head_dim);
    const PerformerSizes s{.rows = static_cast<std::size_t>(x.rows.shape.rows()),
                           .heads = static_cast<std::size_t>(x.heads),
                           .head_dim = static_cast<std::size_t>(head_dim),
                           .features = static_cast<std::size_t>(directions.shape[0])};
    const Tensor phi = tape.empty(Shape{x.rows.shape.rows(), x.heads * directions.shape[0]}, x.rows.dtype);
    const Heads phi_heads{phi, 0, x.heads};
    with_dtype(x.rows.dtype, [&]<class T>(T) {
        multiply_heads(tape, GemmForm::nt, x.view<const T>(), s.head_dim, directions, phi_heads.view<T>(), s.features,
                       s, Accumulate::no);
        launch(tape.context(), PerformerForward<T>{s, side, x.view<const T>(), phi_heads.view<T>().data});
        tape.record([x, directions, phi_heads, s, side](Tape& back) {
            T* gradient = back.collected<T>(phi_heads.rows).data();
            const auto dx = x.view_of(back.gradient_columns_of<T>(x.rows));
            launch(back.context(),
                   PerformerBackward<T>{s, side, x.view<const T>(), phi_heads.view<const T>().data, gradient, dx});
            const HeadsView<const T> d_projections = phi_heads.view_of<const T>(gradient);
            multiply_heads(back, GemmForm::nn, d_projections, s.features, directions, dx, s.head_dim, s,
                           Accumulate::yes);
            back.retire(phi_heads.rows);
        });
    });
    return phi;
}

void performer_directions(const Tensor& directions, Seed seed, std::uint32_t layer) {
    if (directions.shape.rank() != 2) {
        throw ShapeError{"performer_directions", "directions", directions.shape, Shape{1, directions.shape.back()},
                         "a row per feature and a column per channel of a head"};
    }
    const auto features = static_cast<std::size_t>(directions.shape[0]);
    const auto dim = static_cast<std::size_t>(directions.shape[1]);
    const Random random{seed, Stream::init, name_hash("performer_directions") + layer};
    std::vector<double> block;  // orthonormal rows
    for (std::size_t row = 0; row < features; ++row) {
        if (row % dim == 0) { block.clear(); }
        // 2 dim numbers a row: those of its direction, and those whose length it gets.
        double squared_length = 0;
        for (std::size_t i = 0; i < dim; ++i) {
            block.push_back(random.normal(row * 2 * dim + i));
            const double other = random.normal(row * 2 * dim + dim + i);
            squared_length += other * other;
        }
        make_orthogonal(block, dim);
        const double* direction = block.data() + block.size() - dim;
        with_dtype(directions.dtype, [&]<class T>(T) {
            T* to = directions.values<T>().data() + row * dim;
            for (std::size_t i = 0; i < dim; ++i) { to[i] = static_cast<T>(std::sqrt(squared_length) * direction[i]); }
        });
    }
}

Tensor cosformer_features(Tape& tape, const Heads& x, const CosformerOptions& options) {
    const auto rows = x.rows.shape.rows();
    check_heads("cosformer_features", x, options.head_dim);
    if (options.time < 1 || rows % options.time != 0) {
        throw ShapeError{"cosformer_features", "x", x.rows.shape, Shape{options.time, x.rows.shape.back()},
                         "a whole number of sequences of that many tokens"};
    }
    if (!options.document_start.empty() && options.document_start.size() != static_cast<std::size_t>(rows)) {
        throw ShapeError{"cosformer_features", "document_start",
                         Shape{static_cast<std::int64_t>(options.document_start.size())}, Shape{rows},
                         "one place per token"};
    }
    if (options.first_position < 0 || options.longest < options.first_position + options.time) {
        throw InputError{"cosformer_features: 'longest' is " + std::to_string(options.longest) +
                         " but tokens have places up to " + std::to_string(options.first_position + options.time - 1) +
                         " (angles past a right angle give negative features)"};
    }
    const CosformerSizes s{.rows = static_cast<std::size_t>(rows),
                           .heads = static_cast<std::size_t>(x.heads),
                           .head_dim = static_cast<std::size_t>(options.head_dim),
                           .time = static_cast<std::size_t>(options.time),
                           .longest = static_cast<std::size_t>(options.longest),
                           .first_position = static_cast<std::size_t>(options.first_position)};
    const Tensor phi = tape.empty(Shape{rows, x.heads * 2 * options.head_dim}, x.rows.dtype);
    with_dtype(x.rows.dtype, [&]<class T>(T) {
        launch(tape.context(),
               CosformerForward<T>{s, x.view<const T>(), reinterpret_cast<T*>(phi.data), options.document_start});
        tape.record([x, phi, s, document_start = options.document_start](Tape& back) {
            const T* d_phi = back.collected<T>(phi).data();
            const auto dx = x.view_of(back.gradient_columns_of<T>(x.rows));
            launch(back.context(), CosformerBackward<T>{s, x.view<const T>(), d_phi, dx, document_start});
            back.retire(phi);
        });
    });
    return phi;
}

}  // namespace loglog
