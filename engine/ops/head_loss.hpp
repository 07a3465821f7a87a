#pragma once

#include "engine/autograd/tape.hpp"
#include "engine/ops/leaf_cut.hpp"

namespace loglog {

struct HeadLossOptions {
    double logit_scale = 1;
    double z_loss = 0;          ///< weight of (log Z)^2 in the objective
    double gradient_scale = 1;  ///< the objective is this times the sum over tokens
    VocabCut cut = {};          ///< of `weight`; every rank gets the same losses
    std::int64_t labels = 0;    ///< rows with a target, read only where costs are counted; 0: all
};

struct HeadLoss {
    Tensor token_losses;  ///< [rows]: cross entropy in nats, 0 where the target is -1
    Tensor log_z;         ///< [rows], 0 where the target is -1
    Tensor correct;       ///< [rows], not when recording: 1 where the target is the first of the largest logits, else 0
};

/// Cross entropy of logit_scale * h weight^T against `targets`, without ever holding all logits: blocks of rows go
/// through product, softmax and both backward products while they are in cache. When recording, the gradients of
///   gradient_scale * sum_r (loss_r + z_loss * log_z_r^2)
/// reach h and weight here already, in the forward pass.
///
/// Rows without a target cost nothing: those that have one are put side by side first, unless all have. A table that is
/// cut sees all rows.
///
/// Where `weight` is cut among ranks, they combine each block's largest logits, then its sums of exponentials with the
/// targets' logits (Shoeybi et al. 2019, arXiv:1909.08053, sec. 3): 3 values per row. The gradient of h is summed over
/// leaves and ranks (one all-reduce at the end), unless cut.input_gathered. Results do not depend on how leaves are
/// spread over ranks if the group's sums are trees.
///
/// h        [rows, width], the same on every rank
/// weight   [vocab, width], or [cut.local_rows(), width]
/// targets  [rows], each in [0, vocab) or -1
HeadLoss head_loss(Tape& tape, const Tensor& h, const Tensor& weight, std::span<const std::int32_t> targets,
                   const HeadLossOptions& options);

/// Rows of logits that are held at once; depends on the shapes alone, so results do not depend on threads. A cut table
/// counts with the rows of all ranks, so that results do not depend on their number either.
std::int64_t head_block_rows(std::int64_t vocab, std::size_t value_bytes) noexcept;

}  // namespace loglog
