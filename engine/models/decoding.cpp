#include "engine/models/decoding.hpp"

#include <algorithm>
#include <string>

namespace loglog {

Decoding::Decoding(Decoder& model, Context& context, std::int64_t capacity)
    : model_{&model},
      capacity_{capacity == 0 ? model.config().context : std::min(capacity, model.config().context)},
      tape_{context, activations_, Mode::evaluate} {
    model.need_whole_model("decoding");
    for (const auto& block : model.parts_.blocks) {
        caches_.push_back(block.attention.make_cache(cache_memory_, capacity_, model.parameters().dtype()));
    }
}

std::span<const float> Decoding::next(std::int32_t token) {
    const auto vocab = model_->config().vocab;
    if (length_ >= capacity_) {
        throw InputError{"the sequence is full: " + std::to_string(capacity_) + " tokens are all the model can hold"};
    }
    if (token < 0 || token >= vocab) {
        throw InputError{"token " + std::to_string(token) + " is not in the vocabulary of " + std::to_string(vocab)};
    }
    tape_.reset();
    auto& parameters = model_->parameters();
    Tensor h = model_->embed(tape_, {&token, 1}, 1, {}, length_);
    for (std::size_t layer = 0; layer < caches_.size(); ++layer) {
        const auto& block = model_->parts_.blocks[layer];
        const Tensor attention_input = block.attention_norm(tape_, parameters, h);
        h = block.attention.decode(tape_, parameters, attention_input, model_->rotary_, model_->branch(h, 1, 0, 1, {}),
                                   caches_[layer], length_);
        const Tensor mlp_input = block.mlp_norm(tape_, parameters, h);
        h = block.mlp(tape_, parameters, mlp_input, model_->branch(h, 1, 0, 1, {}));
    }
    ++length_;
    return model_->head_logits(tape_, h).values<float>();
}

}  // namespace loglog
