#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/kernels/context.hpp"

namespace loglog {

/// The logits that one rank has of a block of rows whose vocabulary is cut into equal leaves: some neighbouring leaves,
/// side by side. Columns of tokens from `vocab` on are padding: they count as minus infinity whatever they hold, and a
/// leaf may have nothing else.
template <class T>
struct CutLogits {
    std::span<T> values;                    // [rows, leaf_count * leaf_columns]
    std::span<const std::int32_t> targets;  // [rows], each a token of any leaf or -1
    std::size_t leaf_columns;
    std::size_t leaf_count;
    std::size_t first_token;  // of the first column
    std::size_t vocab;
    T scale = 1;  // > 0: the softmax is that of scale * logits
};

/// First of the three passes of a softmax cross entropy over a cut vocabulary, between which ranks combine what they
/// found (Shoeybi et al. 2019, Megatron-LM, arXiv:1909.08053, sec. 3): largest[r] = max of the row's logits, unscaled;
/// minus infinity where this rank has padding only, 0 where the target is -1.
template <class T>
struct CutLogitMaxima {
    CutLogits<T> logits;
    std::span<T> largest;  // [rows]
};

/// Second pass, with the largest logits of all ranks.
/// sums[r] = sum of exp(scale * (logit - largest)), each leaf's added up by itself and leaves pair by pair, and
/// sums[rows + r] = scale * (logit of the target - largest) on the rank that has the target and 0 on the others: the
/// sum over ranks of both is what the third pass needs. Where the target is -1 both are 0.
/// With `keep` the exponentials replace their logits, and zeros the padding.
template <class T>
struct CutLogitSums {
    CutLogits<T> logits;
    std::span<const T> largest;  // [rows], over all ranks
    std::span<T> sums;           // [2, rows]
    bool keep = true;
    std::span<T> earlier = {};  // [rows]: columns before the target's with the largest logit; empty: not wanted
};

/// Third pass, with the sums over all ranks: loss, log_z and the gradient as CrossEntropy has them; the gradient
/// replaces the exponentials, unless gradient_scale is 0.
template <class T>
struct CutCrossEntropy {
    CutLogits<T> logits;         // exponentials
    std::span<const T> largest;  // [rows], over all ranks
    std::span<const T> sums;     // [2, rows], over all ranks
    std::span<T> loss;           // [rows], without the z-loss
    std::span<T> log_z;          // [rows]
    T z_loss = 0;
    T gradient_scale = 1;
    std::span<const T> earlier = {};  // [rows], over all ranks; empty: not wanted
    std::span<T> correct = {};        // [rows], as CrossEntropy has it, where there is `earlier`
};

template <class T>
Cost cost(const CutLogitMaxima<T>&);
template <class T>
Cost cost(const CutLogitSums<T>&);
template <class T>
Cost cost(const CutCrossEntropy<T>&);
template <class T>
void run(CpuContext&, const CutLogitMaxima<T>&);
template <class T>
void run(CpuContext&, const CutLogitSums<T>&);
template <class T>
void run(CpuContext&, const CutCrossEntropy<T>&);

}  // namespace loglog
