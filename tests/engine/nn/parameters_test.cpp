#include "engine/nn/parameters.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace loglog {
namespace {

std::vector<ParameterSpec> specs() {
    return {{.name = "table", .shape = Shape{100, 30}, .init_std = 0.5, .two_uses = true},
            {.name = "gain", .shape = Shape{5}, .kind = ParameterClass::hidden_vector, .init_mean = 1}};
}

TEST(Parameters, LieAtMultiplesOf64BytesInOneBlock) {
    Parameters parameters{specs(), Purpose::training};

    const auto table = parameters.values<float>(ParameterId{0});
    const auto gain = parameters.values<float>(ParameterId{1});

    EXPECT_EQ(gain.data() - table.data(), 3008);  // 3000 rounded up to 16 floats
    EXPECT_EQ(parameters.count(), 3005);
    EXPECT_EQ(parameters.value_bytes(), (3008u + 16u) * 4u);
    EXPECT_EQ(parameters.gradient_bytes(), (3008u + 16u + 3008u) * 4u);
    EXPECT_EQ(parameters.moment_bytes(), 2 * parameters.value_bytes());
}

TEST(Parameters, StartWithTheirMeanAndSpread) {
    Parameters parameters{specs(), Purpose::inference};
    parameters.initialize(Seed{7});
    double sum = 0;
    double squares = 0;

    for (const float value : parameters.values<float>(ParameterId{0})) {
        sum += static_cast<double>(value);
        squares += static_cast<double>(value) * static_cast<double>(value);
    }

    EXPECT_NEAR(sum / 3000, 0, 4 * 0.5 / std::sqrt(3000));
    EXPECT_NEAR(squares / 3000, 0.25, 4 * 0.25 * std::sqrt(2.0 / 3000));
    EXPECT_EQ(parameters.values<float>(ParameterId{1})[4], 1);
    EXPECT_TRUE(parameters.gradient<float>(ParameterId{0}).empty());
    EXPECT_FALSE(parameters.tensor(ParameterId{0}).needs_gradient());
}

TEST(Parameters, AddTheGradientsOfBothUsesAtTheEndOfAStep) {
    Context context{CpuContext{1}};
    Parameters parameters{specs(), Purpose::training};
    parameters.begin_step();
    const Tensor first = parameters.tensor(ParameterId{0});
    const Tensor second = parameters.second_use(ParameterId{0});
    ASSERT_NE(first.gradient, second.gradient);
    EXPECT_EQ(first.data, second.data);
    for (const auto& [tensor, value] : {std::pair{first, 2.0F}, std::pair{second, 3.0F}}) {
        auto* gradient = reinterpret_cast<float*>(tensor.gradient->data);
        std::fill_n(gradient, 3000, value);
        tensor.gradient->written = true;
    }
    parameters.gradient<float>(ParameterId{1})[0] = 9;  // left over from an earlier step

    parameters.finish_step(context);

    EXPECT_EQ(parameters.gradient<float>(ParameterId{0})[2999], 5);
    EXPECT_EQ(parameters.gradient<float>(ParameterId{1})[0], 0);
}

TEST(Parameters, AreFoundByName) {
    Parameters parameters{specs(), Purpose::inference};

    EXPECT_EQ(parameters.find("gain"), ParameterId{1});
    EXPECT_THROW(parameters.find("bias"), InputError);
}

}  // namespace
}  // namespace loglog
