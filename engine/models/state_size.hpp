#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/models/decoder_config.hpp"
#include "engine/tensor/dtype.hpp"

namespace loglog {

/// Numbers that layer `layer` of a resolved configuration must keep of a sequence of `time` tokens to go on with it:
/// keys and values that a later token may see, for moba the means of whole blocks of keys too; of linear kinds the
/// state, what normalises it, and the inputs of the short convolution. Decoding itself keeps all keys and values of all
/// softmax kinds, and moba's means not at all.
std::int64_t state_elements(const DecoderConfig& config, std::int64_t layer, std::int64_t time);
/// Of all layers.
std::int64_t state_elements(const DecoderConfig& config, std::int64_t time);

std::size_t state_bytes(const DecoderConfig& config, std::int64_t layer, std::int64_t time,
                        DType dtype = DType::float32);

}  // namespace loglog
