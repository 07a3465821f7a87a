#include "engine/measure/attention_trial.hpp"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <span>

#include "engine/autograd/tape.hpp"
#include "engine/base/random.hpp"
#include "engine/kernels/attention_mask.hpp"
#include "engine/ops/attention.hpp"
#include "engine/ops/decay_attention.hpp"
#include "engine/ops/delta_attention.hpp"
#include "engine/ops/feature_attention.hpp"
#include "engine/ops/feature_maps.hpp"
#include "engine/ops/vector_decay_attention.hpp"

namespace loglog {
namespace {

using Clock = std::chrono::steady_clock;

// Bytes that this process has from malloc, where kernels' scratch comes from.
std::size_t heap_bytes() {
    const auto info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

std::optional<AttentionMask> mask_of(const MixerConfig& config, const AttentionTrialShape& shape) {
    switch (config.kind) {
        case AttentionKind::window:
            return window_mask(shape.time, config.window, config.sinks);
        case AttentionKind::strided:
            return strided_mask(shape.time, config.stride);
        case AttentionKind::fixed:
            return fixed_mask(shape.time, config.block, config.summary);
        case AttentionKind::dilated:
            return dilated_mask(shape.time, config.window, config.stride);
        case AttentionKind::bigbird:
            return bigbird_mask(
                shape.time,
                {.block = config.block, .global_blocks = config.global_blocks, .random_blocks = config.random_blocks},
                Seed{1}, 0, 0, shape.heads);
        case AttentionKind::pattern:
            return pattern_mask(shape.time, config.pattern);
        default:
            return std::nullopt;
    }
}

// The inputs that a kind has besides q, k and v.
struct Gates {
    Tensor decay{};  // logarithms
    Tensor beta{};
    Tensor directions{};
};

void fill_normal(const Tensor& x, std::uint64_t group) {
    const Random random{Seed{1}, Stream::init, group};
    const std::span<float> values = x.values<float>();
    for (std::size_t i = 0; i < values.size(); ++i) { values[i] = static_cast<float>(random.normal(i)); }
}

// Logarithms of decays between exp(-0.2) and 1.
void fill_decays(const Tensor& x) {
    const Random random{Seed{1}, Stream::init, 2};
    const std::span<float> values = x.values<float>();
    for (std::size_t i = 0; i < values.size(); ++i) { values[i] = static_cast<float>(-0.2 * random.uniform(i)); }
}

void fill_shares(const Tensor& x) {
    const Random random{Seed{1}, Stream::init, 3};
    const std::span<float> values = x.values<float>();
    for (std::size_t i = 0; i < values.size(); ++i) { values[i] = static_cast<float>(random.uniform(i)); }
}

// The decays that retention and lightning fix per head.
void fill_head_decays(const Tensor& x, AttentionKind kind) {
    const std::span<float> values = x.values<float>();
    const auto heads = static_cast<double>(values.size());
    for (std::size_t h = 0; h < values.size(); ++h) {
        const auto head = static_cast<double>(h);
        values[h] = static_cast<float>(kind == AttentionKind::retention ? std::log1p(-std::exp2(-5 - head))
                                                                        : -std::exp2(-8 * (head + 1) / heads));
    }
}

Gates make_gates(Tape& tape, const MixerConfig& config, const AttentionTrialShape& shape) {
    Gates gates;
    switch (config.kind) {
        case AttentionKind::retention:
        case AttentionKind::lightning:
            gates.decay = tape.saved(Shape{shape.heads}, DType::float32);
            if (!tape.counting()) { fill_head_decays(gates.decay, config.kind); }
            return gates;
        case AttentionKind::ssd:
        case AttentionKind::gdn:
            gates.decay = tape.empty(Shape{shape.time, shape.heads}, DType::float32);
            break;
        case AttentionKind::gla:
            gates.decay = tape.empty(Shape{shape.time, shape.heads * shape.head_dim}, DType::float32);
            break;
        case AttentionKind::performer:
            gates.directions = tape.saved(Shape{config.features, shape.head_dim}, DType::float32);
            if (!tape.counting()) { performer_directions(gates.directions, Seed{1}, 0); }
            break;
        default:
            break;
    }
    if (config.kind == AttentionKind::gdn || config.kind == AttentionKind::deltanet) {
        gates.beta = tape.empty(Shape{shape.time, shape.heads}, DType::float32);
        if (!tape.counting()) { fill_shares(gates.beta); }
    }
    if (gates.decay.data != nullptr && !tape.counting()) { fill_decays(gates.decay); }
    return gates;
}

struct Inputs {
    Heads q;
    Heads k;
    Heads v;
    Gates gates;
};

Inputs make_inputs(Tape& tape, const MixerConfig& config, const AttentionTrialShape& shape) {
    const std::int64_t columns = shape.heads * shape.head_dim;
    const Tensor rows = tape.empty(Shape{shape.time, 3 * columns}, DType::float32);
    if (!tape.counting()) { fill_normal(rows, 1); }
    return {{rows, 0, shape.heads},
            {rows, columns, shape.heads},
            {rows, 2 * columns, shape.heads},
            make_gates(tape, config, shape)};
}

Tensor feature_kind(Tape& tape, const MixerConfig& config, const Inputs& in, FeatureAttentionOptions options) {
    Heads q = in.q;
    Heads k = in.k;
    if (config.kind == AttentionKind::performer) {
        q = {performer_features(tape, in.q, in.gates.directions, PerformerSide::queries), 0, in.q.heads};
        k = {performer_features(tape, in.k, in.gates.directions, PerformerSide::keys), 0, in.k.heads};
        options.key_dim = config.features;
        options.map = FeatureMap::identity;
    } else if (config.kind == AttentionKind::cosformer) {
        const CosformerOptions places{.time = options.time, .head_dim = options.key_dim, .longest = options.time};
        q = {cosformer_features(tape, in.q, places), 0, in.q.heads};
        k = {cosformer_features(tape, in.k, places), 0, in.k.heads};
        options.key_dim *= 2;
        options.map = FeatureMap::identity;
        options.clamp_normalizer = true;
    } else if (config.kind == AttentionKind::relu) {
        options.map = FeatureMap::relu;
        options.normalizer_epsilon = std::nullopt;
    }
    return feature_attention(tape, q, k, in.v, options);
}

Tensor forward(Tape& tape, const MixerConfig& config, const AttentionTrialShape& shape, const AttentionMask* mask,
               const Inputs& in) {
    const double scale = 1 / std::sqrt(static_cast<double>(shape.head_dim));
    const LinearAttentionOptions linear{.time = shape.time,
                                        .key_dim = shape.head_dim,
                                        .value_dim = shape.head_dim,
                                        .chunk = config.chunk,
                                        .scale = scale};
    switch (config.kind) {
        case AttentionKind::elu:
        case AttentionKind::relu:
        case AttentionKind::performer:
        case AttentionKind::cosformer: {
            FeatureAttentionOptions options{linear};
            options.scale = 1;
            return feature_kind(tape, config, in, options);
        }
        case AttentionKind::retention:
        case AttentionKind::lightning:
        case AttentionKind::ssd:
            return decay_attention(tape, in.q, in.k, in.v, in.gates.decay, linear);
        case AttentionKind::gla:
            return vector_decay_attention(tape, in.q, in.k, in.v, in.gates.decay, linear);
        case AttentionKind::deltanet:
        case AttentionKind::gdn:
            return delta_attention(tape, in.q, in.k, in.v, in.gates.beta, in.gates.decay, linear);
        default: {
            AttentionOptions options;
            options.time = shape.time;
            options.head_dim = shape.head_dim;
            options.scale = scale;
            options.mask = mask;
            if (config.kind == AttentionKind::moba) { options.moba = {.block = config.block, .top_k = config.top_k}; }
            return attention(tape, in.q, in.k, in.v, options);
        }
    }
}

}  // namespace

struct AttentionTrial::Parts {
    Parts(const MixerConfig& attention, const AttentionTrialShape& sizes, int threads)
        : config{attention}, shape{sizes}, mask{mask_of(attention, sizes)}, context{CpuContext{threads}} {}

    const AttentionMask* mask_or_null() const { return mask ? &*mask : nullptr; }

    MixerConfig config;
    AttentionTrialShape shape;
    std::optional<AttentionMask> mask;
    Context context;
    Arena arena;
    Tape tape{context, arena, Mode::train};
    std::size_t scratch_bytes = 0;
};

AttentionTrial::AttentionTrial(const MixerConfig& config, const AttentionTrialShape& shape, int threads)
    : parts_{std::make_unique<Parts>(config, shape, threads)} {
    Context counting{CountingContext{}};
    Arena addresses{Backing::address_space};
    Tape tape{counting, addresses, Mode::train};
    const Inputs inputs = make_inputs(tape, config, shape);
    const Tensor out = forward(tape, config, shape, parts_->mask_or_null(), inputs);
    tape.gradient_of<float>(out);
    tape.backward();
    cost_ = std::get<CountingContext>(counting).total();
}

AttentionTrial::~AttentionTrial() = default;

double AttentionTrial::seconds() {
    Parts& parts = *parts_;
    Tape& tape = parts.tape;
    tape.reset();
    const Inputs inputs = make_inputs(tape, parts.config, parts.shape);
    const std::size_t heap_before = heap_bytes();

    const auto start = Clock::now();
    const Tensor out = forward(tape, parts.config, parts.shape, parts.mask_or_null(), inputs);
    const auto between = Clock::now();
    const std::span<float> gradient = tape.gradient_of<float>(out).values;  // of what comes after in a model
    std::fill(gradient.begin(), gradient.end(), 1.0F);
    const auto resumed = Clock::now();
    tape.backward();
    const std::chrono::duration<double> spent = (between - start) + (Clock::now() - resumed);

    parts.scratch_bytes += std::max(heap_bytes(), heap_before) - heap_before;
    return spent.count();
}

std::size_t AttentionTrial::memory_bytes() const {
    const std::size_t tables = parts_->mask ? parts_->mask->bytes() : 0;
    return parts_->arena.peak_bytes() + parts_->scratch_bytes + tables;
}

}  // namespace loglog
