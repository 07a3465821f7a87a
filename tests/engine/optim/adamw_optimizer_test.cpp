#include "engine/optim/adamw_optimizer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace loglog {
namespace {

Parameters two_parameters() {
    ParameterSpec weight{.name = "weight", .shape = Shape{2, 3}, .init_std = 1};
    ParameterSpec gain{.name = "gain", .shape = Shape{2}, .kind = ParameterClass::hidden_vector, .init_mean = 1};
    weight.multipliers = {.lr = 0.5, .weight_decay = 2, .epsilon = 10};
    gain.multipliers = {.lr = 1, .weight_decay = 0, .epsilon = 1};
    return Parameters{{weight, gain}, Purpose::training, DType::float64};
}

constexpr ParameterId weight_id{0};
constexpr ParameterId gain_id{1};

void set_gradients(Parameters& parameters) {
    for (std::size_t i = 0; i < 6; ++i) { parameters.gradient<double>(weight_id)[i] = 0.1 * static_cast<double>(i); }
    parameters.gradient<double>(gain_id)[0] = 3;
    parameters.gradient<double>(gain_id)[1] = -4;
}

TEST(AdamWStep, FollowsTheFormulaWithEachParametersOwnFactors) {
    Context context{CpuContext{1}};
    auto parameters = two_parameters();
    parameters.initialize(Seed{1});
    set_gradients(parameters);
    const double before = parameters.values<double>(weight_id)[5];
    const double norm = std::sqrt(0.01 + 0.04 + 0.09 + 0.16 + 0.25 + 9 + 16);
    const AdamWSettings settings{.beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-3, .weight_decay = 0.1, .clip = 1};

    const auto report = adamw_step(context, parameters, settings, 0.01, 1);

    EXPECT_NEAR(report.gradient_norm, norm, 1e-14 * norm);
    EXPECT_DOUBLE_EQ(report.clip_coefficient, 1 / (report.gradient_norm + 1e-6));
    const double g = 0.5 * report.clip_coefficient;
    // After one step the bias-corrected moments are g and g^2.
    const double wanted = before - 0.005 * 0.2 * before - 0.005 * g / (g + 1e-2);
    EXPECT_NEAR(parameters.values<double>(weight_id)[5], wanted, 1e-14);
    const double gain_gradient = -4 * report.clip_coefficient;
    EXPECT_NEAR(parameters.values<double>(gain_id)[1], 1 - 0.01 * gain_gradient / (std::abs(gain_gradient) + 1e-3),
                1e-14);
}

TEST(AdamWStep, LeavesSmallGradientsUnclipped) {
    Context context{CpuContext{1}};
    auto parameters = two_parameters();
    set_gradients(parameters);
    AdamWSettings settings;
    settings.clip = 100;

    EXPECT_EQ(adamw_step(context, parameters, settings, 0.01, 1).clip_coefficient, 1);
    settings.clip = 0;
    EXPECT_EQ(adamw_step(context, parameters, settings, 0.01, 2).clip_coefficient, 1);
}

TEST(AdamWStep, SkipsAStepWhoseNormIsNotFinite) {
    Context context{CpuContext{1}};
    for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        auto parameters = two_parameters();
        parameters.initialize(Seed{1});
        set_gradients(parameters);
        parameters.gradient<double>(gain_id)[0] = bad;
        const double before = parameters.values<double>(weight_id)[5];

        const auto report = adamw_step(context, parameters, {}, 0.01, 1);

        EXPECT_FALSE(report.applied);
        EXPECT_EQ(parameters.values<double>(weight_id)[5], before);
        EXPECT_EQ(parameters.first_moment<double>(weight_id)[5], 0);
    }
}

}  // namespace
}  // namespace loglog
