#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/autograd/tape.hpp"
#include "engine/models/decoder.hpp"

namespace loglog {

/// Feeds a decoder one token at a time, keeping what each layer needs of the past.
class Decoding {
  public:
    /// Room for `capacity` tokens (0: as many as there can be: the model's context, or any number if no layer's state
    /// grows and nothing depends on the place in the context). Throws InputError if not all of the model is here.
    Decoding(Decoder& model, Context& context, std::int64_t capacity = 0);

    /// Appends `token` and returns the scaled logits [vocab] of what follows it, valid until the next call. Throws
    /// InputError when the sequence is full or the token is not in the vocabulary. The model must hold float32.
    std::span<const float> next(std::int32_t token);

    std::int64_t length() const noexcept { return length_; }
    std::int64_t capacity() const noexcept { return capacity_; }
    /// Starts a new sequence.
    void clear();

  private:
    Decoder* model_;
    std::int64_t capacity_;
    std::int64_t length_ = 0;
    Arena state_memory_;
    Arena activations_;
    Tape tape_;
    std::vector<MixerState> states_;
};

}  // namespace loglog
