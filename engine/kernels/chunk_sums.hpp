#pragma once

#include <cstddef>

#include "engine/kernels/context.hpp"

namespace loglog {

/// Adds up what the chunks of a sum over rows have left in scratch, in the order of the chunks:
/// out[c] = alpha * sum_i partial[i * width + c] + (accumulate ? out[c] : 0).
template <class T>
struct ChunkSums {
    const T* partial;  // [chunks, width]
    std::size_t chunks;
    std::size_t stride;  // from one chunk's row to the next's
    std::size_t width;
    T* out;  // [width]
    T alpha;
    bool accumulate;
};

template <class T>
void run(CpuContext&, const ChunkSums<T>&);

}  // namespace loglog
