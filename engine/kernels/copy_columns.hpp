#pragma once

#include <cstddef>

#include "engine/kernels/context.hpp"

namespace loglog {

/// to[r, c] = from[r, c]: some columns of a matrix into some of another.
template <class T>
struct CopyColumns {
    const T* from;
    std::size_t from_stride;
    T* to;
    std::size_t to_stride;
    std::size_t rows;
    std::size_t columns;
};

template <class T>
Cost cost(const CopyColumns<T>&);
template <class T>
void run(CpuContext&, const CopyColumns<T>&);

}  // namespace loglog
