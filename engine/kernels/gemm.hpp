#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/kernels/activation.hpp"
#include "engine/kernels/context.hpp"

namespace loglog {

/// A row-major matrix inside somebody else's memory; row r starts at data + r * stride. No data: absent.
template <class T>
struct MatrixView {
    T* data = nullptr;
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::size_t stride = 0;

    explicit operator bool() const noexcept { return data != nullptr; }
};

/// Which operands are stored transposed. The three forms are a linear layer's y = x W^T (nt), dx = dy W (nn) and
/// dW = dy^T x (tn), with W stored [out, in].
enum class GemmForm : std::uint8_t {
    nt,  ///< a [m, k], b [n, k]
    nn,  ///< a [m, k], b [k, n]
    tn,  ///< a [k, m], b [k, n]
};

enum class Accumulate : bool { no, yes };

/// c = epilogue(alpha * op(a) op(b) + (accumulate ? c : 0)), with the epilogue's parts applied in this order, each only
/// where it is given:
///   v += bias[column];  pre_activation = v;  v = activation(v);  v *= gate_activation'(gate);
///   c = residual + residual_scale * v
/// Sums over k run in an order that depends on the shape alone, never on the number of threads.
template <class T>
struct Gemm {
    GemmForm form;
    MatrixView<const T> a;
    MatrixView<const T> b;
    MatrixView<T> c;  // [m, n]
    T alpha = 1;
    Accumulate accumulate = Accumulate::no;
    const T* bias = nullptr;            // [n]
    MatrixView<T> pre_activation = {};  // [m, n], written
    Activation activation = Activation::none;
    MatrixView<const T> gate = {};  // [m, n]: the forward pre-activation, for dx = (dy W) * activation'(gate)
    Activation gate_activation = Activation::none;
    MatrixView<const T> residual = {};  // [m, n], may be c itself
    T residual_scale = 1;

    std::size_t m() const noexcept { return c.rows; }
    std::size_t n() const noexcept { return c.columns; }
    std::size_t k() const noexcept { return form == GemmForm::tn ? a.rows : a.columns; }
};

template <class T>
Cost cost(const Gemm<T>&);
template <class T>
void run(CpuContext&, const Gemm<T>&);

}  // namespace loglog
