#pragma once

#include <cstddef>
#include <type_traits>

namespace loglog {

/// The part [begin, end) of a kernel's work (its rows, elements or columns), compiled for one instruction set in both
/// types. Each *_cpu.cpp is compiled once per instruction set and asks Highway for the pieces of the best one.
template <template <class> class Kernel>
struct Pieces {
    void (*in_float)(const Kernel<float>&, std::size_t begin, std::size_t end);
    void (*in_double)(const Kernel<double>&, std::size_t begin, std::size_t end);

    template <class T>
    void operator()(const Kernel<T>& kernel, std::size_t begin, std::size_t end) const {
        if constexpr (std::is_same_v<T, float>) {
            in_float(kernel, begin, end);
        } else {
            in_double(kernel, begin, end);
        }
    }
};

/// Likewise for a kernel that adds up over rows: each chunk of rows_per_chunk rows leaves its sums in its own part of
/// `partial`, and chunk_sums.hpp adds those.
template <template <class> class Kernel>
struct ChunkPieces {
    void (*in_float)(const Kernel<float>&, float* partial, std::size_t begin, std::size_t end);
    void (*in_double)(const Kernel<double>&, double* partial, std::size_t begin, std::size_t end);

    template <class T>
    void operator()(const Kernel<T>& kernel, T* partial, std::size_t begin, std::size_t end) const {
        if constexpr (std::is_same_v<T, float>) {
            in_float(kernel, partial, begin, end);
        } else {
            in_double(kernel, partial, begin, end);
        }
    }
};

/// Elements that one piece of an elementwise kernel has: enough to hide the cost of handing it to a thread, few enough
/// to stay in the first-level cache.
inline constexpr std::size_t elements_per_piece = 4096;

/// Rows whose contributions to a sum over rows are added up together. Part of what such a sum's bits depend on.
inline constexpr std::size_t rows_per_chunk = 64;

inline constexpr std::size_t chunks_of(std::size_t rows) noexcept {
    return (rows + rows_per_chunk - 1) / rows_per_chunk;
}

/// Rows of `width` in one piece of a kernel that works row by row.
inline constexpr std::size_t rows_per_piece(std::size_t width) noexcept {
    return width >= elements_per_piece ? 1 : elements_per_piece / (width == 0 ? 1 : width);
}

}  // namespace loglog
