#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/kernels/attention.hpp"
#include "engine/kernels/context.hpp"

namespace loglog {

struct CosformerSizes {
    std::size_t rows = 0;
    std::size_t heads = 0;
    std::size_t head_dim = 0;
    std::size_t time = 0;
    std::size_t longest = 0;         ///< tokens over which angles go from 0 to a right angle
    std::size_t first_position = 0;  ///< of each sequence's first row
};

/// phi = [relu(x) cos(a), relu(x) sin(a)] with a = pi place / (2 longest), place being the token's in its document (Qin
/// et al. 2022, arXiv:2202.08791, sec. 3.3).
template <class T>
struct CosformerForward {
    CosformerSizes sizes;
    HeadsView<const T> x;
    T* phi;  // [rows, heads, 2, head_dim]
    std::span<const std::int32_t> document_start = {};
};

/// dx = (x > 0) (cos(a) dphi[0] + sin(a) dphi[1]), overwritten.
template <class T>
struct CosformerBackward {
    CosformerSizes sizes;
    HeadsView<const T> x;
    const T* d_phi;
    HeadsView<T> dx;
    std::span<const std::int32_t> document_start = {};
};

template <class T>
Cost cost(const CosformerForward<T>&);
template <class T>
Cost cost(const CosformerBackward<T>&);
template <class T>
void run(CpuContext&, const CosformerForward<T>&);
template <class T>
void run(CpuContext&, const CosformerBackward<T>&);

}  // namespace loglog
