#include "engine/ops/head_loss.hpp"

#include <algorithm>

#include "engine/kernels/cross_entropy.hpp"
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

template <class T>
void run_blocks(Tape& tape, const Tensor& h, const Tensor& weight, std::span<const std::int32_t> targets,
                const HeadLossOptions& options, const HeadLoss& out) {
    const auto rows = static_cast<std::size_t>(h.shape.rows());
    const auto width = static_cast<std::size_t>(h.shape.back());
    const auto vocab = static_cast<std::size_t>(weight.shape[0]);
    const auto block_rows = std::min(rows, static_cast<std::size_t>(head_block_rows(weight.shape[0], sizeof(T))));
    const Tensor logits = tape.saved(Shape{static_cast<std::int64_t>(block_rows), weight.shape[0]}, h.dtype);
    const bool gradients = tape.recording();
    GradientTarget<T> dh{};
    GradientTarget<T> d_weight{};
    if (gradients) { dh = tape.gradient_of<T>(h); }
    if (weight.needs_gradient() && gradients) { d_weight = tape.gradient_of<T>(weight); }

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
        launch(tape.context(),
               CrossEntropy<T>{.logits = logits.values<T>().first(count * vocab),
                               .targets = targets.subspan(first, count),
                               .loss = out.token_losses.values<T>().subspan(first, count),
                               .log_z = out.log_z.values<T>().subspan(first, count),
                               .vocab = vocab,
                               .logit_scale = static_cast<T>(options.logit_scale),
                               .z_loss = static_cast<T>(options.z_loss),
                               .gradient_scale = gradients ? static_cast<T>(options.gradient_scale) : T{0}});
        if (gradients) {
            block_gradients(tape, block, weight, dh, weight.needs_gradient() ? &d_weight : nullptr, first == 0);
        }
    }
    tape.retire(logits);
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
    if (weight.shape.rank() != 2 || weight.shape[1] != h.shape.back()) {
        throw ShapeError{"head_loss", "weight", weight.shape, Shape{weight.shape[0], h.shape.back()},
                         "one column per entry of the last axis of 'h' " + to_string(h.shape)};
    }
    if (static_cast<std::int64_t>(targets.size()) != h.shape.rows()) {
        throw ShapeError{"head_loss", "targets", Shape{static_cast<std::int64_t>(targets.size())},
                         Shape{h.shape.rows()}, "one target per row of 'h' " + to_string(h.shape)};
    }
    detail::check_ids(tape, "head_loss", "targets", targets, -1, weight.shape[0]);
    const HeadLoss out{tape.saved(Shape{h.shape.rows()}, h.dtype), tape.saved(Shape{h.shape.rows()}, h.dtype)};
    with_dtype(h.dtype, [&]<class T>(T) { run_blocks<T>(tape, h, weight, targets, options, out); });
    return out;
}

}  // namespace loglog
