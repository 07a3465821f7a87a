#include "engine/ops/attention.hpp"

#include "engine/ops/check_shape.hpp"

namespace loglog {
namespace {

void check(const Heads& q, const Heads& k, const Heads& v, const AttentionOptions& options) {
    const auto rows = q.rows.shape.rows();
    for (const auto& [name, heads] : {std::pair{"k", &k}, std::pair{"v", &v}}) {
        if (heads->rows.shape.rows() != rows || heads->heads != k.heads || q.heads % heads->heads != 0) {
            throw ShapeError{"attention", name, Shape{heads->rows.shape.rows(), heads->heads}, Shape{rows, k.heads},
                             "as many tokens as 'q' and a number of heads that divides its " + std::to_string(q.heads)};
        }
    }
    if (options.time < 1 || rows % options.time != 0) {
        throw ShapeError{"attention", "q", q.rows.shape, Shape{options.time, q.rows.shape.back()},
                         "a whole number of sequences of that many tokens"};
    }
}

}  // namespace

Tensor attention(Tape& tape, const Heads& q, const Heads& k, const Heads& v, const AttentionOptions& options) {
    check(q, k, v, options);
    const auto rows = q.rows.shape.rows();
    const AttentionSizes sizes{.batch = static_cast<std::size_t>(rows / options.time),
                               .time = static_cast<std::size_t>(options.time),
                               .heads = static_cast<std::size_t>(q.heads),
                               .kv_heads = static_cast<std::size_t>(k.heads),
                               .head_dim = static_cast<std::size_t>(options.head_dim)};
    const Tensor lse = tape.saved(Shape{rows, q.heads}, q.rows.dtype);
    const Tensor out = tape.empty(Shape{rows, q.heads * options.head_dim}, q.rows.dtype);
    const Heads out_heads{out, 0, q.heads};
    with_dtype(q.rows.dtype, [&]<class T>(T) {
        const T scale = static_cast<T>(options.scale);
        launch(tape.context(), AttentionForward<T>{sizes, q.view<const T>(), k.view<const T>(), v.view<const T>(),
                                                   out_heads.view<T>(), lse.values<T>(), scale, options.dropout});
        tape.record([q, k, v, out_heads, lse, sizes, scale, dropout = options.dropout](Tape& back) {
            const T* d_out = back.collected<T>(out_heads.rows).data();
            const auto dq = q.view_of(back.gradient_columns_of<T>(q.rows));
            const auto dk = k.view_of(back.gradient_columns_of<T>(k.rows));
            const auto dv = v.view_of(back.gradient_columns_of<T>(v.rows));
            launch(back.context(), AttentionBackward<T>{sizes, q.view<const T>(), k.view<const T>(), v.view<const T>(),
                                                        out_heads.view<const T>(), out_heads.view_of(d_out),
                                                        lse.values<T>(), dq, dk, dv, scale, dropout});
            back.retire(out_heads.rows);
            back.retire(lse);
        });
    });
    return out;
}

}  // namespace loglog
