#pragma once

#include "engine/autograd/tape.hpp"
#include "engine/kernels/activation.hpp"
#include "engine/ops/leaf_cut.hpp"

namespace loglog {

/// What a linear layer does besides x weight^T. Tensors without data are absent.
struct LinearOptions {
    Tensor bias = {};      ///< [out]
    Tensor residual = {};  ///< [.., out]
    double residual_scale = 1;
    ColumnCut cut = {};  ///< of the output features; the bias is cut alike. Without residual.
};

/// x [.., in], weight [out, in] -> [.., out]: residual + residual_scale * (x weight^T + bias), in one matrix product.
/// The gradient of y becomes the residual's without a copy where nothing else contributed to that before.
Tensor linear(Tape& tape, const Tensor& x, const Tensor& weight, const LinearOptions& options = {});

/// The output of a linear layer with a fused activation. Gradients are collected before the activation: only `linear`
/// may consume it, once, and fuses the activation's derivative into its own backward product.
struct Activated {
    Tensor value;           ///< activation(pre_activation), collects no gradient
    Tensor pre_activation;  ///< x weight^T + bias; without data when not recording
    Activation activation = Activation::none;
};

/// x [.., in], weight [out, in], bias [out] or absent -> activation(x weight^T + bias), [.., out].
Activated linear_activated(Tape& tape, const Tensor& x, const Tensor& weight, const Tensor& bias, Activation activation,
                           const ColumnCut& cut = {});
Tensor linear(Tape& tape, const Activated& x, const Tensor& weight, const LinearOptions& options = {});

}  // namespace loglog
