#include "engine/models/decoding.hpp"

#include <algorithm>
#include <limits>
#include <string>

namespace loglog {

namespace {

/// Linear attention's state does not grow, so without positions a text may be of any length.
bool is_bounded(const DecoderConfig& config) {
    if (config.positions == PositionKind::learned) { return true; }
    for (std::int64_t layer = 0; layer < config.layers; ++layer) {
        const auto kind = mixer_config(config, layer).kind;
        const bool turns = kind == AttentionKind::retention && config.positions == PositionKind::rotary;
        if (is_softmax(kind) || turns || kind == AttentionKind::cosformer) { return true; }
    }
    return false;
}

std::int64_t usable_capacity(const DecoderConfig& config, std::int64_t wanted) {
    const auto most = is_bounded(config) ? config.context : std::numeric_limits<std::int64_t>::max() / 2;
    return wanted == 0 ? most : std::min(wanted, most);
}

}  // namespace

Decoding::Decoding(Decoder& model, Context& context, std::int64_t capacity)
    : model_{&model},
      capacity_{usable_capacity(model.config(), capacity)},
      tape_{context, activations_, Mode::evaluate} {
    model.need_whole_model("decoding");
    for (const auto& block : model.parts_.blocks) {
        states_.push_back(block.attention.make_state(state_memory_, capacity_, model.parameters().dtype()));
    }
}

void Decoding::clear() {
    for (auto& state : states_) { loglog::clear(state); }
    length_ = 0;
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
    for (std::size_t layer = 0; layer < states_.size(); ++layer) {
        const auto& block = model_->parts_.blocks[layer];
        const Tensor attention_input = block.attention_norm(tape_, parameters, h);
        h = block.attention.decode(tape_, parameters, attention_input, model_->tables_, model_->branch(h, 1, 0, 1, {}),
                                   states_[layer], length_);
        if (!block.mlp) { continue; }
        const Tensor mlp_input = (*block.mlp_norm)(tape_, parameters, h);
        h = (*block.mlp)(tape_, parameters, mlp_input, model_->branch(h, 1, 0, 1, {}));
    }
    ++length_;
    return model_->head_logits(tape_, h).values<float>();
}

}  // namespace loglog
