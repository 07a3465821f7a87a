#pragma once

#include <cstddef>
#include <span>

#include "engine/kernels/context.hpp"

namespace loglog {

/// Rotary position embedding (Su et al. 2021, arXiv:2104.09864), in place: channels i and i + head_dim/2 of a head at
/// position p turn by p * base^(-2i/head_dim). Turning by the negative angle is both the inverse and the gradient.
template <class T>
struct Rotary {
    T* data;             // token t, head h at t * token_stride + h * head_dim
    std::size_t tokens;  // batch * time
    std::size_t time;    // token t has position first_position + t mod time
    std::size_t heads;
    std::size_t head_dim;
    std::size_t token_stride;
    std::span<const T> cosine;  // [positions, head_dim / 2]
    std::span<const T> sine;    // [positions, head_dim / 2]
    bool inverse = false;
    std::size_t first_position = 0;
};

template <class T>
Cost cost(const Rotary<T>&);
template <class T>
void run(CpuContext&, const Rotary<T>&);

}  // namespace loglog
