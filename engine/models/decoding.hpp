#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/autograd/tape.hpp"
#include "engine/models/decoder.hpp"

namespace loglog {

/// Feeds a decoder one token at a time, keeping keys and values of the past.
class Decoding {
  public:
    /// Room for `capacity` tokens (0: the model's context, which is also the most there can be). Throws InputError if
    /// not all of the model is here.
    Decoding(Decoder& model, Context& context, std::int64_t capacity = 0);

    /// Appends `token` and returns the scaled logits [vocab] of what follows it, valid until the next call. Throws
    /// InputError when the sequence is full or the token is not in the vocabulary. The model must hold float32.
    std::span<const float> next(std::int32_t token);

    std::int64_t length() const noexcept { return length_; }
    std::int64_t capacity() const noexcept { return capacity_; }
    /// Starts a new sequence.
    void clear() noexcept { length_ = 0; }

  private:
    Decoder* model_;
    std::int64_t capacity_;
    std::int64_t length_ = 0;
    Arena cache_memory_;
    Arena activations_;
    Tape tape_;
    std::vector<KeyValueCache> caches_;
};

}  // namespace loglog
