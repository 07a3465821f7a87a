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

void check_arguments(const Tape& tape, std::span<const std::int32_t> tokens, const Tensor& token_table,
                     const Tensor& position_table, const EmbeddingOptions& options) {
    const auto width = token_table.shape.back();
    if (position_table.data != nullptr && (position_table.shape.rank() != 2 || position_table.shape[1] != width ||
                                           position_table.shape[0] < options.first_position + options.time)) {
        throw ShapeError{"embedding", "position_table", position_table.shape,
                         Shape{options.first_position + options.time, width}, "a row per position"};
    }
    const VocabCut& cut = options.cut;
    if (cut.vocab != 0 && token_table.shape[0] != cut.local_rows()) {
        throw ShapeError{"embedding", "token_table", token_table.shape, Shape{cut.local_rows(), width},
                         "the rows of this rank's leaves"};
    }
    const auto rows = static_cast<std::int64_t>(tokens.size());
    if (cut.group != nullptr && cut.scatter_rows && rows % cut.group->size() != 0) {
        throw ShapeError{"embedding", "tokens", Shape{rows}, Shape{rows / cut.group->size() * cut.group->size()},
                         "the same number of rows for each rank"};
    }
    detail::check_ids(tape, "embedding", "tokens", tokens, 0, cut.vocab != 0 ? cut.vocab : token_table.shape[0]);
}

/// A lookup in a table that is cut among ranks.
template <class T>
class CutLookup {
  public:
    CutLookup(std::span<const std::int32_t> tokens, const Tensor& token_table, const Tensor& position_table,
              const EmbeddingOptions& options)
        : tokens_{tokens},
          token_table_{token_table},
          position_table_{position_table},
          group_{options.cut.group},
          first_token_{static_cast<std::int32_t>(options.cut.first_token())},
          scatters_{options.cut.scatter_rows},
          time_{static_cast<std::size_t>(options.time)},
          width_{static_cast<std::size_t>(token_table.shape.back())},
          first_position_{static_cast<std::size_t>(options.first_position)},
          scale_{static_cast<T>(options.scale)},
          rows_{scatters_ ? tokens.size() / static_cast<std::size_t>(group_->size()) : tokens.size()},
          first_row_{scatters_ ? rows_ * static_cast<std::size_t>(group_->rank()) : 0} {}

    Tensor forward(Tape& tape) const {
        const Tensor y = tape.empty(rows_by_width(rows_), token_table_.dtype);
        const Tensor parts = scatters_ ? tape.saved(rows_by_width(tokens_.size()), token_table_.dtype) : y;
        launch(tape.context(), EmbeddingForward<T>{.tokens = tokens_,
                                                   .token_table = token_table_.values<T>(),
                                                   .position_table = {},
                                                   .y = parts.values<T>(),
                                                   .time = time_,
                                                   .width = width_,
                                                   .first_token = first_token_});
        if (scatters_) {
            group_->reduce_scatter_sum(parts.values<T>(), y.values<T>());
            tape.release(parts);
        } else {
            group_->all_reduce_sum(y.values<T>());
        }
        if (position_table_.data != nullptr || scale_ != T{1}) {
            launch(tape.context(), AddPositions<T>{position_table_.values<T>(), y.values<T>(), time_, width_, scale_,
                                                   first_position_, first_row_});
        }
        return y;
    }

    void backward(Tape& tape, std::span<const T> dy) const {
        const auto d_tokens = zeroed_gradient<T>(tape, token_table_);
        const auto d_positions = zeroed_gradient<T>(tape, position_table_);
        if (!scatters_) {
            launch(tape.context(),
                   EmbeddingBackward<T>{tokens_, dy, d_tokens, d_positions, time_, width_, scale_, first_token_});
            return;
        }
        const Tensor all = tape.saved(rows_by_width(tokens_.size()), token_table_.dtype);
        group_->all_gather(dy, all.values<T>());
        launch(tape.context(),
               EmbeddingBackward<T>{tokens_, all.values<T>(), d_tokens, {}, time_, width_, scale_, first_token_});
        if (!d_positions.empty()) {
            launch(tape.context(), EmbeddingBackward<T>{tokens_.subspan(first_row_, rows_),
                                                        dy,
                                                        {},
                                                        d_positions,
                                                        time_,
                                                        width_,
                                                        scale_,
                                                        first_token_,
                                                        first_row_});
        }
        tape.release(all);
    }

  private:
    Shape rows_by_width(std::size_t rows) const {
        return {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(width_)};
    }

    std::span<const std::int32_t> tokens_;
    Tensor token_table_;
    Tensor position_table_;
    Group* group_;
    std::int32_t first_token_;
    bool scatters_;
    std::size_t time_;
    std::size_t width_;
    std::size_t first_position_;
    T scale_;
    std::size_t rows_;       // of y
    std::size_t first_row_;  // of y among all tokens
};

template <class T>
Tensor lookup(Tape& tape, std::span<const std::int32_t> tokens, const Tensor& token_table, const Tensor& position_table,
              const EmbeddingOptions& options) {
    const auto time = static_cast<std::size_t>(options.time);
    const auto columns = static_cast<std::size_t>(token_table.shape.back());
    const T scale = static_cast<T>(options.scale);
    const Tensor y =
        tape.empty(Shape{static_cast<std::int64_t>(tokens.size()), token_table.shape.back()}, token_table.dtype);
    launch(tape.context(),
           EmbeddingForward<T>{tokens, token_table.values<T>(), position_table.values<T>(), y.values<T>(), time,
                               columns, scale, static_cast<std::size_t>(options.first_position)});
    tape.record([tokens, token_table, position_table, y, time, columns, scale](Tape& back) {
        const auto dy = back.collected<T>(y);
        back.weight_gradient([=](Tape& weights) {
            const auto d_tokens = zeroed_gradient<T>(weights, token_table);
            const auto d_positions = zeroed_gradient<T>(weights, position_table);
            launch(weights.context(), EmbeddingBackward<T>{tokens, dy, d_tokens, d_positions, time, columns, scale});
        });
        back.retire(y);
    });
    return y;
}

template <class T>
Tensor cut_lookup(Tape& tape, const CutLookup<T>& table) {
    const Tensor y = table.forward(tape);
    tape.record([table, y](Tape& back) {
        const auto dy = back.collected<T>(y);
        back.weight_gradient([=](Tape& weights) { table.backward(weights, dy); });
        back.retire(y);
    });
    return y;
}

}  // namespace

Tensor embedding(Tape& tape, std::span<const std::int32_t> tokens, const Tensor& token_table,
                 const Tensor& position_table, const EmbeddingOptions& options) {
    check_arguments(tape, tokens, token_table, position_table, options);
    Tensor y;
    with_dtype(token_table.dtype, [&]<class T>(T) {
        if (options.cut.vocab == 0 || options.cut.group == nullptr) {
            // One rank has the whole table, though perhaps with rows of padding.
            y = lookup<T>(tape, tokens, token_table, position_table, options);
        } else {
            y = cut_lookup(tape, CutLookup<T>{tokens, token_table, position_table, options});
        }
    });
    return y;
}

}  // namespace loglog
