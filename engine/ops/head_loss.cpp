#include "engine/ops/head_loss.hpp"

#include <algorithm>
#include <optional>

#include "engine/kernels/cross_entropy.hpp"
#include "engine/kernels/cut_cross_entropy.hpp"
#include "engine/kernels/elementwise.hpp"
#include "engine/kernels/embedding.hpp"
#include "engine/kernels/gemm.hpp"
#include "engine/ops/check_shape.hpp"

namespace loglog {
namespace {

template <class T>
struct Block {
    MatrixView<const T> h;
    MatrixView<T> logits;
    std::size_t first;
    std::size_t rows;
};

/// Gradients of one block, whose logits hold d objective / d logits.
template <class T>
void block_gradients(Tape& tape, const Block<T>& block, const Tensor& weight, const GradientTarget<T>& dh,
                     const GradientTarget<T>* d_weight, bool first_block) {
    const auto width = block.h.columns;
    const auto vocab = block.logits.columns;
    const MatrixView<const T> d_logits{block.logits.data, block.rows, vocab, vocab};
    launch(tape.context(), Gemm<T>{.form = GemmForm::nn,
                                   .a = d_logits,
                                   .b = {reinterpret_cast<const T*>(weight.data), vocab, width, width},
                                   .c = {dh.values.data() + block.first * width, block.rows, width, width},
                                   .accumulate = dh.accumulate ? Accumulate::yes : Accumulate::no});
    if (d_weight == nullptr) { return; }
    launch(tape.context(),
           Gemm<T>{.form = GemmForm::tn,
                   .a = d_logits,
                   .b = block.h,
                   .c = {d_weight->values.data(), vocab, width, width},
                   .accumulate = d_weight->accumulate || !first_block ? Accumulate::yes : Accumulate::no});
}

/// What the loss is taken over: the rows of h, or those of them that have a target, side by side.
struct HeadRows {
    Tensor h;
    std::span<const std::int32_t> targets;
    HeadLoss out;
};

/// Gradients of the rows; none when evaluating.
template <class T>
struct HeadGradients {
    std::optional<GradientTarget<T>> h;
    std::optional<GradientTarget<T>> weight;
};

template <class T>
void run_blocks(Tape& tape, const HeadRows& all, const Tensor& weight, const HeadLossOptions& options,
                const HeadGradients<T>& gradients) {
    const Tensor& h = all.h;
    const auto rows = static_cast<std::size_t>(h.shape.rows());
    const auto width = static_cast<std::size_t>(h.shape.back());
    const auto vocab = static_cast<std::size_t>(weight.shape[0]);
    const auto block_rows = std::min(rows, static_cast<std::size_t>(head_block_rows(weight.shape[0], sizeof(T))));
    const Tensor logits = tape.saved(Shape{static_cast<std::int64_t>(block_rows), weight.shape[0]}, h.dtype);
    const bool training = gradients.h.has_value();

    for (std::size_t first = 0; first < rows; first += block_rows) {
        const auto count = std::min(block_rows, rows - first);
        const Block<T> block{.h = {reinterpret_cast<const T*>(h.data) + first * width, count, width, width},
                             .logits = {reinterpret_cast<T*>(logits.data), count, vocab, vocab},
                             .first = first,
                             .rows = count};
        launch(tape.context(), Gemm<T>{.form = GemmForm::nt,
                                       .a = block.h,
                                       .b = {reinterpret_cast<const T*>(weight.data), vocab, width, width},
                                       .c = block.logits});
        launch(
            tape.context(),
            CrossEntropy<T>{.logits = logits.values<T>().first(count * vocab),
                            .targets = all.targets.subspan(first, count),
                            .loss = all.out.token_losses.values<T>().subspan(first, count),
                            .log_z = all.out.log_z.values<T>().subspan(first, count),
                            .vocab = vocab,
                            .logit_scale = static_cast<T>(options.logit_scale),
                            .z_loss = static_cast<T>(options.z_loss),
                            .gradient_scale = training ? static_cast<T>(options.gradient_scale) : T{0},
                            .correct = training ? std::span<T>{} : all.out.correct.values<T>().subspan(first, count)});
        if (training) {
            block_gradients(tape, block, weight, *gradients.h, gradients.weight ? &*gradients.weight : nullptr,
                            first == 0);
        }
    }
    tape.retire(logits);
}

/// The same for rows of which only some have a target: these are gathered, and what comes out goes back to its places.
template <class T>
class LabelledRows {
  public:
    LabelledRows(Tape& tape, const HeadRows& all, std::size_t labels)
        : tape_{tape},
          all_{all},
          width_{static_cast<std::size_t>(all.h.shape.back())},
          labels_{labels},
          // 32 bits each, like the floats that the arena has a type for.
          places_{tape.saved(Shape{2, static_cast<std::int64_t>(labels)}, DType::float32)} {
        const auto count = static_cast<std::int64_t>(labels);
        rows_ = {
            .h = tape.saved(Shape{count, all.h.shape.back()}, all.h.dtype),
            .targets = integers().subspan(labels),
            .out = {.token_losses = tape.saved(Shape{count}, all.h.dtype),
                    .log_z = tape.saved(Shape{count}, all.h.dtype),
                    .correct = all.out.correct.data == nullptr ? Tensor{} : tape.saved(Shape{count}, all.h.dtype)}};
        if (!tape.counting()) { list_places(); }
        launch(tape.context(), EmbeddingForward<T>{.tokens = integers().first(labels),
                                                   .token_table = all.h.values<T>(),
                                                   .position_table = {},
                                                   .y = rows_.h.values<T>(),
                                                   .time = labels,
                                                   .width = width_});
    }

    void run(const Tensor& weight, const HeadLossOptions& options, const HeadGradients<T>& gradients) {
        HeadGradients<T> own = gradients;
        Tensor dh;
        if (gradients.h) {
            dh = tape_.saved(rows_.h.shape, rows_.h.dtype);
            own.h = GradientTarget<T>{dh.values<T>(), false};
        }
        run_blocks(tape_, rows_, weight, options, own);
        put_back(rows_.out.token_losses.values<T>(), all_.out.token_losses.values<T>(), 1, false);
        put_back(rows_.out.log_z.values<T>(), all_.out.log_z.values<T>(), 1, false);
        if (rows_.out.correct.data != nullptr) {
            put_back(rows_.out.correct.values<T>(), all_.out.correct.values<T>(), 1, false);
            tape_.release(rows_.out.correct);
        }
        if (gradients.h) {
            put_back(dh.values<T>(), gradients.h->values, width_, gradients.h->accumulate);
            tape_.release(dh);
        }
        tape_.release(rows_.out.log_z);
        tape_.release(rows_.out.token_losses);
        tape_.release(rows_.h);
        tape_.release(places_);
    }

  private:
    std::span<std::int32_t> integers() const { return {reinterpret_cast<std::int32_t*>(places_.data), 2 * labels_}; }

    void list_places() {
        std::size_t label = 0;
        for (std::size_t row = 0; row < all_.targets.size(); ++row) {
            if (all_.targets[row] == -1) { continue; }
            integers()[label] = static_cast<std::int32_t>(row);
            integers()[labels_ + label] = all_.targets[row];
            ++label;
        }
    }

    /// Adds rows to their places in `to`, which is cleared first unless `accumulate`.
    void put_back(std::span<const T> from, std::span<T> to, std::size_t width, bool accumulate) {
        if (!accumulate) { launch(tape_.context(), Fill<T>{to, T{0}}); }
        launch(tape_.context(), EmbeddingBackward<T>{.tokens = integers().first(labels_),
                                                     .dy = from,
                                                     .d_token_table = to,
                                                     .d_position_table = {},
                                                     .time = labels_,
                                                     .width = width});
    }

    Tape& tape_;
    const HeadRows& all_;
    std::size_t width_;
    std::size_t labels_;
    Tensor places_;  // rows that have a target, then these targets: integers
    HeadRows rows_;
};

/// Losses and gradients where no row has a target.
template <class T>
void run_nothing(Tape& tape, const HeadLoss& out, const HeadGradients<T>& gradients) {
    for (const Tensor& values : {out.token_losses, out.log_z, out.correct}) {
        if (values.data != nullptr) { launch(tape.context(), Fill<T>{values.values<T>(), T{0}}); }
    }
    for (const auto& target : {gradients.h, gradients.weight}) {
        if (target && !target->accumulate) { launch(tape.context(), Fill<T>{target->values, T{0}}); }
    }
}

std::size_t count_labels(const Tape& tape, std::span<const std::int32_t> targets, std::int64_t planned) {
    if (tape.counting()) { return planned == 0 ? targets.size() : static_cast<std::size_t>(planned); }
    const auto without = std::count(targets.begin(), targets.end(), -1);
    return targets.size() - static_cast<std::size_t>(without);
}

template <class T>
void run_whole_table(Tape& tape, const HeadRows& rows, const Tensor& weight, const HeadLossOptions& options) {
    HeadGradients<T> gradients;
    if (tape.recording()) {
        gradients.h = tape.gradient_of<T>(rows.h);
        if (weight.needs_gradient()) { gradients.weight = tape.gradient_of<T>(weight); }
    }
    const std::size_t labels = count_labels(tape, rows.targets, options.labels);
    if (labels == rows.targets.size()) {
        run_blocks<T>(tape, rows, weight, options, gradients);
    } else if (labels == 0) {
        run_nothing<T>(tape, rows.out, gradients);
    } else {
        LabelledRows<T>{tape, rows, labels}.run(weight, options, gradients);
    }
}

/// The loss over a vocabulary that is cut into leaves, some of which are this rank's rows of `weight`.
template <class T>
class CutHead {
  public:
    CutHead(Tape& tape, const Tensor& h, const Tensor& weight, std::span<const std::int32_t> targets,
            const HeadLossOptions& options, const HeadLoss& out)
        : tape_{tape},
          h_{h.values<T>()},
          weight_{weight.values<T>()},
          targets_{targets},
          options_{options},
          out_{out},
          rows_{targets.size()},
          width_{static_cast<std::size_t>(h.shape.back())},
          leaf_columns_{static_cast<std::size_t>(options.cut.leaf_rows)},
          leaves_{static_cast<std::size_t>(options.cut.leaf_count)},
          columns_{leaf_columns_ * leaves_},
          block_rows_{
              std::min(rows_, static_cast<std::size_t>(head_block_rows(options.cut.padded_vocab(), sizeof(T))))} {
        logits_ = saved(block_rows_, columns_, h.dtype);
        statistics_ = saved(tape.recording() ? 3 : 4, block_rows_, h.dtype);
        if (!tape.recording()) { return; }
        has_gradients_ = true;
        dh_target_ = tape.gradient_of<T>(h);
        // What is there already must not take part in the sum over ranks.
        dh_ = dh_target_.accumulate ? saved(rows_, width_, h.dtype) : Tensor{};
        if (leaves_ > 2) { partial_sums_ = saved(levels() * block_rows_, width_, h.dtype); }
        if (weight.needs_gradient()) { d_weight_ = tape.gradient_of<T>(weight); }
    }

    void run() {
        for (std::size_t first = 0; first < rows_; first += block_rows_) {
            const std::size_t count = std::min(block_rows_, rows_ - first);
            cross_entropy(first, count);
            if (!has_gradients_) { continue; }
            sum_leaves({first, count}, 0, leaves_, dh().data() + first * width_, 0);
            if (!d_weight_.values.empty()) { weight_gradient(first, count); }
        }
        if (has_gradients_) { finish_input_gradient(); }
        tape_.release(statistics_);
        tape_.release(logits_);
    }

  private:
    struct Rows {
        std::size_t first;
        std::size_t count;
    };

    Tensor saved(std::size_t rows, std::size_t columns, DType dtype) const {
        return tape_.saved(Shape{static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)}, dtype);
    }
    Group* group() const { return options_.cut.group; }
    std::span<T> dh() const { return dh_target_.accumulate ? dh_.values<T>() : dh_target_.values; }
    /// Partial sums that the tree over the local leaves holds at once, besides the result.
    std::size_t levels() const {
        std::size_t count = 0;
        for (std::size_t leaves = leaves_; leaves > 2; leaves = (leaves + 1) / 2) { ++count; }
        return count;
    }
    MatrixView<const T> rows_of_h(Rows rows) const {
        return {h_.data() + rows.first * width_, rows.count, width_, width_};
    }

    /// Losses of a block; leaves its gradient in the logits' place.
    void cross_entropy(std::size_t first, std::size_t count) {
        launch(tape_.context(), Gemm<T>{.form = GemmForm::nt,
                                        .a = rows_of_h({first, count}),
                                        .b = {weight_.data(), columns_, width_, width_},
                                        .c = {logits_.values<T>().data(), count, columns_, columns_}});
        const CutLogits<T> logits{.values = logits_.values<T>().first(count * columns_),
                                  .targets = targets_.subspan(first, count),
                                  .leaf_columns = leaf_columns_,
                                  .leaf_count = leaves_,
                                  .first_token = static_cast<std::size_t>(options_.cut.first_token()),
                                  .vocab = static_cast<std::size_t>(options_.cut.vocab),
                                  .scale = static_cast<T>(options_.logit_scale)};
        const auto largest = statistics_.values<T>().first(count);
        // What ranks add up lies side by side: sums, and when evaluating `earlier`.
        const auto added = statistics_.values<T>().subspan(block_rows_, (has_gradients_ ? 2 : 3) * count);
        const auto sums = added.first(2 * count);
        const auto earlier = added.subspan(2 * count);
        launch(tape_.context(), CutLogitMaxima<T>{logits, largest});
        if (group() != nullptr) { group()->all_reduce_max(largest); }
        launch(tape_.context(), CutLogitSums<T>{logits, largest, sums, has_gradients_, earlier});
        if (group() != nullptr) { group()->all_reduce_sum(added); }
        launch(tape_.context(),
               CutCrossEntropy<T>{
                   .logits = logits,
                   .largest = largest,
                   .sums = sums,
                   .loss = out_.token_losses.values<T>().subspan(first, count),
                   .log_z = out_.log_z.values<T>().subspan(first, count),
                   .z_loss = static_cast<T>(options_.z_loss),
                   .gradient_scale = has_gradients_ ? static_cast<T>(options_.gradient_scale) : T{0},
                   .earlier = earlier,
                   .correct = has_gradients_ ? std::span<T>{} : out_.correct.values<T>().subspan(first, count)});
    }

    /// to [count, width] = (add ? to : 0) + what one leaf contributes to the gradient of a block of h.
    void leaf_input_gradient(std::size_t count, std::size_t leaf, T* to, Accumulate add) {
        const T* d_logits = logits_.values<T>().data() + leaf * leaf_columns_;
        const T* weight = weight_.data() + leaf * leaf_columns_ * width_;
        launch(tape_.context(), Gemm<T>{.form = GemmForm::nn,
                                        .a = {d_logits, count, leaf_columns_, columns_},
                                        .b = {weight, leaf_columns_, width_, width_},
                                        .c = {to, count, width_, width_},
                                        .accumulate = add});
    }

    /// to = the sum of what `leaves` leaves from `leaf` on contribute, pair by pair of neighbours. A product added in
    /// place rounds like one that is added afterwards, so the last of each pair needs no memory of its own.
    void sum_leaves(Rows rows, std::size_t leaf, std::size_t leaves, T* to, std::size_t level) {
        if (leaves == 1) {
            leaf_input_gradient(rows.count, leaf, to, Accumulate::no);
            return;
        }
        const std::size_t lower = leaves / 2;
        sum_leaves(rows, leaf, lower, to, level);
        if (leaves - lower == 1) {
            leaf_input_gradient(rows.count, leaf + lower, to, Accumulate::yes);
            return;
        }
        const auto upper = partial_sums_.values<T>().subspan(level * block_rows_ * width_, rows.count * width_);
        sum_leaves(rows, leaf + lower, leaves - lower, upper.data(), level + 1);
        launch(tape_.context(), Scale<T>{upper, {to, upper.size()}, T{1}, true});
    }

    void weight_gradient(std::size_t first, std::size_t count) {
        const bool adds = d_weight_.accumulate || first != 0;
        launch(tape_.context(), Gemm<T>{.form = GemmForm::tn,
                                        .a = {logits_.values<T>().data(), count, columns_, columns_},
                                        .b = rows_of_h({first, count}),
                                        .c = {d_weight_.values.data(), columns_, width_, width_},
                                        .accumulate = adds ? Accumulate::yes : Accumulate::no});
    }

    void finish_input_gradient() {
        if (partial_sums_.data != nullptr) { tape_.release(partial_sums_); }
        if (group() != nullptr && !options_.cut.input_gathered) { group()->all_reduce_sum(dh()); }
        if (!dh_target_.accumulate) { return; }
        launch(tape_.context(), Scale<T>{dh(), dh_target_.values, T{1}, true});
        tape_.release(dh_);
    }

    Tape& tape_;
    std::span<const T> h_;
    std::span<const T> weight_;
    std::span<const std::int32_t> targets_;
    const HeadLossOptions& options_;
    const HeadLoss& out_;
    std::size_t rows_;
    std::size_t width_;
    std::size_t leaf_columns_;
    std::size_t leaves_;
    std::size_t columns_;  // of all local leaves
    std::size_t block_rows_;
    Tensor logits_;        // [block_rows, columns]
    Tensor statistics_;    // of each row of a block: largest logit, sum of exponentials, target's logit, `earlier`
    Tensor partial_sums_;  // [levels, block_rows, width]
    Tensor dh_;            // [rows, width], where h has a gradient already
    bool has_gradients_ = false;
    GradientTarget<T> dh_target_{};
    GradientTarget<T> d_weight_{};
};

void check_arguments(const Tape& tape, const Tensor& h, const Tensor& weight, std::span<const std::int32_t> targets,
                     const VocabCut& cut) {
    if (weight.shape.rank() != 2 || weight.shape[1] != h.shape.back()) {
        throw ShapeError{"head_loss", "weight", weight.shape, Shape{weight.shape[0], h.shape.back()},
                         "one column per entry of the last axis of 'h' " + to_string(h.shape)};
    }
    if (cut.vocab != 0 && weight.shape[0] != cut.local_rows()) {
        throw ShapeError{"head_loss", "weight", weight.shape, Shape{cut.local_rows(), h.shape.back()},
                         "the rows of this rank's leaves"};
    }
    if (static_cast<std::int64_t>(targets.size()) != h.shape.rows()) {
        throw ShapeError{"head_loss", "targets", Shape{static_cast<std::int64_t>(targets.size())},
                         Shape{h.shape.rows()}, "one target per row of 'h' " + to_string(h.shape)};
    }
    detail::check_ids(tape, "head_loss", "targets", targets, -1, cut.vocab != 0 ? cut.vocab : weight.shape[0]);
}

}  // namespace

std::int64_t head_block_rows(std::int64_t vocab, std::size_t value_bytes) noexcept {
    // Small enough for a last-level cache; fewer rows than 64 would read the table too often for the work on it.
    constexpr std::int64_t block_bytes = std::int64_t{4} << 20;
    const auto rows = block_bytes / (vocab * static_cast<std::int64_t>(value_bytes));
    return std::clamp<std::int64_t>(rows / 64 * 64, 64, 1024);
}

HeadLoss head_loss(Tape& tape, const Tensor& h, const Tensor& weight, std::span<const std::int32_t> targets,
                   const HeadLossOptions& options) {
    check_arguments(tape, h, weight, targets, options.cut);
    const Shape per_row{h.shape.rows()};
    const HeadLoss out{.token_losses = tape.saved(per_row, h.dtype),
                       .log_z = tape.saved(per_row, h.dtype),
                       .correct = tape.recording() ? Tensor{} : tape.saved(per_row, h.dtype)};
    const VocabCut& cut = options.cut;
    const bool is_cut = cut.vocab != 0 && (cut.group != nullptr || cut.leaf_count > 1 || cut.leaf_rows != cut.vocab);
    with_dtype(h.dtype, [&]<class T>(T) {
        if (is_cut) {
            CutHead<T>{tape, h, weight, targets, options, out}.run();
        } else {
            run_whole_table<T>(tape, {h, targets, out}, weight, options);
        }
    });
    return out;
}

}  // namespace loglog
