#include "engine/ops/rotary.hpp"

#include "engine/kernels/rotary.hpp"
#include "engine/ops/check_shape.hpp"

namespace loglog {

void rotary(Tape& tape, const Heads& x, const Tensor& cosine, const Tensor& sine, std::int64_t time,
            std::int64_t first_position) {
    if (cosine.shape.rank() != 2 || cosine.shape != sine.shape || cosine.shape[0] < first_position + time) {
        throw ShapeError{"rotary", "cosine", cosine.shape, Shape{first_position + time, sine.shape.back()},
                         "a row per position, like 'sine'"};
    }
    with_dtype(x.rows.dtype, [&]<class T>(T) {
        Rotary<T> turn{.data = x.view<T>().data,
                       .tokens = static_cast<std::size_t>(x.rows.shape.rows()),
                       .time = static_cast<std::size_t>(time),
                       .heads = static_cast<std::size_t>(x.heads),
                       .head_dim = static_cast<std::size_t>(2 * cosine.shape[1]),
                       .token_stride = x.stride(),
                       .cosine = cosine.values<T>(),
                       .sine = sine.values<T>(),
                       .inverse = false,
                       .first_position = static_cast<std::size_t>(first_position)};
        launch(tape.context(), turn);
        turn.inverse = true;
        tape.record([x, turn](Tape& back) {
            auto turn_back = turn;
            turn_back.data = x.view_of(back.collected<T>(x.rows).data()).data;
            launch(back.context(), turn_back);
        });
    });
}

}  // namespace loglog
