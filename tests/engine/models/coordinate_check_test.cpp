#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tests/support/decoder_case.hpp"

namespace loglog::testing {
namespace {

// The check of Yang et al. 2022 (arXiv:2203.03466, appendix D.1): under mup, activations neither grow nor shrink with
// width once training has begun; under the standard parameterization they grow.
constexpr std::array<std::int64_t, 4> widths{64, 128, 256, 512};
constexpr std::size_t steps = 4;

// Clipping and a large epsilon would make updates depend on the gradients' size, and so on width.
constexpr AdamWSettings plain_adam{.beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-12, .weight_decay = 0, .clip = 0};

struct Sizes {
    std::array<double, steps> residual{};  ///< mean |x| of the residual stream, over blocks
    std::array<double, steps> logits{};
};

template <class T>
double mean_magnitude(const Tensor& x) {
    double sum = 0;
    for (const T value : x.values<T>()) { sum += std::abs(static_cast<double>(value)); }
    return sum / static_cast<double>(x.elements());
}

DecoderConfig config_of(ParameterizationKind kind, AttentionKind attention, std::int64_t width) {
    DecoderConfig config;
    config.attention.kind = attention;
    config.attention.conv = config.attention.output_gate = -1;
    config.layers = 4;
    config.width = width;
    config.head_dim = 32;
    config.vocab = 64;
    config.context = 32;
    config.tied_head = false;
    config.init_std = 0.5;
    config.parameterization.kind = kind;
    config.parameterization.base_layers = 4;
    return resolved(config);
}

void measure(Tape& tape, Decoder& model, const TokenCase& data, Sizes& sizes, std::size_t step) {
    tape.reset();
    Tensor h = model.embed(tape, data.tokens, data.time, {});
    const auto layers = model.config().layers;
    for (std::int64_t layer = 0; layer < layers; ++layer) {
        h = model.block(tape, layer, h, data.time, {});
        sizes.residual[step] += mean_magnitude<float>(h) / static_cast<double>(layers);
    }
    sizes.logits[step] += mean_magnitude<float>(model.head_logits(tape, h));
}

Sizes measure_training(ParameterizationKind kind, AttentionKind attention, std::int64_t width) {
    Sizes sizes;
    for (const std::uint64_t seed : {1, 2, 3}) {
        Decoder model{config_of(kind, attention, width)};
        model.initialize(Seed{seed});
        // A random head gives first logits that shrink as width^-1/2 and hides what training does (Yang et al.,
        // appendix D.2): start from no logits at all.
        std::ranges::fill(model.parameters().values<float>(model.parameters().find("head")), 0.0F);
        const TokenCase data{1, 32, 64, seed};
        Context context{CpuContext{1}};
        Arena arena;
        Tape tape{context, arena, Mode::train};
        Tape evaluation{context, arena, Mode::evaluate};
        for (std::size_t step = 0; step < steps; ++step) {
            measure(evaluation, model, data, sizes, step);
            accumulate_gradients(context, tape, model, data, 1);
            adamw_step(context, model.parameters(), plain_adam, 1e-2, static_cast<std::int64_t>(step) + 1);
        }
    }
    return sizes;
}

/// Least-squares slope of log2 size against log2 width.
double slope(const std::array<double, widths.size()>& sizes) {
    double mean_x = 0;
    double mean_y = 0;
    for (std::size_t i = 0; i < widths.size(); ++i) {
        mean_x += std::log2(static_cast<double>(widths[i])) / widths.size();
        mean_y += std::log2(sizes[i]) / widths.size();
    }
    double xy = 0;
    double xx = 0;
    for (std::size_t i = 0; i < widths.size(); ++i) {
        const double x = std::log2(static_cast<double>(widths[i])) - mean_x;
        xy += x * (std::log2(sizes[i]) - mean_y);
        xx += x * x;
    }
    return xy / xx;
}

struct Slopes {
    std::array<double, steps> residual{};
    std::array<double, steps> logits{};
};

Slopes slopes_of(ParameterizationKind kind, AttentionKind attention) {
    std::array<Sizes, widths.size()> measured;
    for (std::size_t i = 0; i < widths.size(); ++i) { measured[i] = measure_training(kind, attention, widths[i]); }
    Slopes slopes;
    for (std::size_t step = 0; step < steps; ++step) {
        std::array<double, widths.size()> residual{};
        std::array<double, widths.size()> logits{};
        for (std::size_t i = 0; i < widths.size(); ++i) {
            residual[i] = measured[i].residual[step];
            logits[i] = measured[i].logits[step];
        }
        slopes.residual[step] = slope(residual);
        slopes.logits[step] = slope(logits);
    }
    return slopes;
}

// The first step moves the head alone, since no gradient passes a head of zeros: logits count from the second forward
// pass on, the residual stream from the third.
class CoordinateCheckOf : public ::testing::TestWithParam<AttentionKind> {};

TEST_P(CoordinateCheckOf, ActivationsKeepTheirSizeWithWidthUnderMup) {
    const auto slopes = slopes_of(ParameterizationKind::mup, GetParam());

    for (std::size_t step = 1; step < steps; ++step) {
        EXPECT_LE(std::abs(slopes.residual[step]), 0.05) << "before step " << step + 1;
        EXPECT_LE(std::abs(slopes.logits[step]), 0.10) << "before step " << step + 1;
    }
}

INSTANTIATE_TEST_SUITE_P(Kinds, CoordinateCheckOf, ::testing::Values(AttentionKind::dense, AttentionKind::gdn),
                         [](const auto& parameter) { return std::string{to_string(parameter.param)}; });

TEST(CoordinateCheck, ActivationsGrowWithWidthUnderSp) {
    const auto slopes = slopes_of(ParameterizationKind::sp, AttentionKind::dense);

    for (std::size_t step = 1; step < steps; ++step) {
        if (step > 1) { EXPECT_GT(slopes.residual[step], 0.2) << "before step " << step + 1; }
        EXPECT_GT(slopes.logits[step], 0.15) << "before step " << step + 1;
    }
}

}  // namespace
}  // namespace loglog::testing
