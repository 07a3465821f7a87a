#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "engine/kernels/attention.hpp"

namespace loglog {

/// Which gradients a piece of the backward pass is for.
enum class AttentionGradients : std::uint8_t {
    all,
    keys,     ///< dk and dv
    queries,  ///< dq
};

/// A part of the backward pass of one key/value head and its query heads, done by one thread. The first positions are
/// multiples of attention_tile; the ends are too, or the end of the sequence.
struct AttentionBackwardPiece {
    std::size_t sequence;
    std::size_t kv_head;
    std::size_t first_key;
    std::size_t end_key;
    std::size_t first_query;
    std::size_t end_query;
    AttentionGradients gradients;
};

/// How a piece is done on one instruction set.
struct AttentionBackwardPieces {
    void (*in_float)(const AttentionBackward<float>&, float* scratch, const AttentionBackwardPiece&);
    void (*in_double)(const AttentionBackward<double>&, double* scratch, const AttentionBackwardPiece&);

    template <class T>
    void operator()(const AttentionBackward<T>& kernel, T* scratch, const AttentionBackwardPiece& piece) const {
        if constexpr (std::is_same_v<T, float>) {
            in_float(kernel, scratch, piece);
        } else {
            in_double(kernel, scratch, piece);
        }
    }
};

}  // namespace loglog
