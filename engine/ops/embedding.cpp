#include "engine/ops/embedding.hpp"

#include "engine/kernels/elementwise.hpp"
#include "engine/kernels/embedding.hpp"
#include "engine/ops/check_shape.hpp"

namespace loglog {
namespace {

/// The kernel adds rows to what is there, so a gradient that nothing was written to yet starts as zeros.
template <class T>
std::span<T> zeroed_gradient(Tape& tape, const Tensor& table) {
    if (!table.needs_gradient()) { return {}; }
    const auto target = tape.gradient_of<T>(table);
    if (!target.accumulate) { launch(tape.context(), Fill<T>{target.values, T{0}}); }
    return target.values;
}

}  // namespace

Tensor embedding(Tape& tape, std::span<const std::int32_t> tokens, const Tensor& token_table,
                 const Tensor& position_table, const EmbeddingOptions& options) {
    const auto width = token_table.shape.back();
    if (position_table.data != nullptr && (position_table.shape.rank() != 2 || position_table.shape[1] != width ||
                                           position_table.shape[0] < options.first_position + options.time)) {
        throw ShapeError{"embedding", "position_table", position_table.shape,
                         Shape{options.first_position + options.time, width}, "a row per position"};
    }
    detail::check_ids(tape, "embedding", "tokens", tokens, 0, token_table.shape[0]);
    const Tensor y = tape.empty(Shape{static_cast<std::int64_t>(tokens.size()), width}, token_table.dtype);
    with_dtype(y.dtype, [&]<class T>(T) {
        const auto time = static_cast<std::size_t>(options.time);
        const auto columns = static_cast<std::size_t>(width);
        const T scale = static_cast<T>(options.scale);
        launch(tape.context(),
               EmbeddingForward<T>{tokens, token_table.values<T>(), position_table.values<T>(), y.values<T>(), time,
                                   columns, scale, static_cast<std::size_t>(options.first_position)});
        tape.record([tokens, token_table, position_table, y, time, columns, scale](Tape& back) {
            const auto d_tokens = zeroed_gradient<T>(back, token_table);
            const auto d_positions = zeroed_gradient<T>(back, position_table);
            launch(back.context(),
                   EmbeddingBackward<T>{tokens, back.collected<T>(y), d_tokens, d_positions, time, columns, scale});
            back.retire(y);
        });
    });
    return y;
}

}  // namespace loglog
