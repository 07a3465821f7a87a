#include <gtest/gtest.h>

#include <array>

#include "tests/support/decoder_case.hpp"

namespace loglog::testing {
namespace {

// Losses of ten steps, kept so that a change of the numbers is noticed and meant. Initial values, dropout and sums are
// the same on every machine up to rounding, which ten steps of float amplify to about 1e-6.
TEST(GoldenCurve, OfAGpt2LikeModelIsUnchanged) {
    auto config = tiny_config();
    config.dropout = 0.1;
    config.init_std = 0.1;
    Decoder model{config};
    model.initialize(Seed{42});
    constexpr std::array<double, 10> golden{3.057876404, 2.681183975, 2.499127354, 2.330472570, 2.246420678,
                                            2.096208841, 2.032168578, 1.984144248, 1.924897417, 1.799756456};

    const auto losses = train(model, TokenCase{4, config.context, config.vocab}, 10, 2);

    for (std::size_t step = 0; step < golden.size(); ++step) { EXPECT_NEAR(losses[step], golden[step], 1e-5) << step; }
}

TEST(GoldenCurve, OfAModernModelIsUnchanged) {
    auto config = tiny_modern_config();
    config.z_loss = 1e-3;
    config.init_std = 0.1;
    config.parameterization = {
        .kind = ParameterizationKind::mup, .base_width = 8, .base_layers = 1, .base_head_dim = 2};
    Decoder model{config};
    model.initialize(Seed{42});
    constexpr std::array<double, 10> golden{2.974793814, 2.836071596, 2.718727946, 2.614230402, 2.517448165,
                                            2.424432300, 2.336397588, 2.252189193, 2.170037702, 2.092382245};

    const auto losses = train(model, TokenCase{4, config.context, config.vocab}, 10, 2);

    for (std::size_t step = 0; step < golden.size(); ++step) { EXPECT_NEAR(losses[step], golden[step], 1e-5) << step; }
}

}  // namespace
}  // namespace loglog::testing
