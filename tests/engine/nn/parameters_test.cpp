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

TEST(Parameters, OfTheHeadAloneKeepTheHeadsGradient) {
    Context context{CpuContext{1}};
    auto list = specs();
    list[0].first_use_here = false;
    Parameters parameters{list, Purpose::training};
    parameters.begin_step();
    const Tensor second = parameters.second_use(ParameterId{0});
    std::fill_n(reinterpret_cast<float*>(second.gradient->data), 3000, 3.0F);
    second.gradient->written = true;

    parameters.complete_gradients(context);

    EXPECT_EQ(parameters.gradient<float>(ParameterId{0})[2999], 0);
    EXPECT_EQ(parameters.second_gradient<float>(ParameterId{0})[2999], 3);
    EXPECT_TRUE(parameters.second_gradient<float>(ParameterId{1}).empty());
    parameters.finish_step(context);
    EXPECT_EQ(parameters.gradient<float>(ParameterId{0})[2999], 3);
    EXPECT_FALSE(parameters.segments(ParameterId{0})[0].owned);
}

TEST(Parameters, OfTheEmbeddingAloneHoldNoSecondGradient) {
    Context context{CpuContext{1}};
    auto list = specs();
    list[0].second_use_here = false;
    Parameters parameters{list, Purpose::training};

    parameters.finish_step(context);

    EXPECT_EQ(parameters.gradient_bytes(), (3008u + 16u) * 4u);
    EXPECT_TRUE(parameters.second_gradient<float>(ParameterId{0}).empty());
    EXPECT_TRUE(parameters.segments(ParameterId{0})[0].owned);
}

TEST(Parameters, ThatAreAbsentHoldNothingButKeepTheirPlace) {
    auto list = specs();
    list[0].present = false;
    Parameters parameters{list, Purpose::training};
    Context context{CpuContext{1}};

    parameters.initialize(Seed{1});
    parameters.finish_step(context);

    EXPECT_TRUE(parameters.values<float>(ParameterId{0}).empty());
    EXPECT_EQ(parameters.local_shape(ParameterId{0}), (Shape{0, 30}));
    EXPECT_TRUE(parameters.segments(ParameterId{0}).empty());
    EXPECT_EQ(parameters.values<float>(ParameterId{1})[0], 1);
    EXPECT_EQ(parameters.value_bytes(), 64u);
    EXPECT_EQ(parameters.count(), 3005);
}

TEST(Parameters, WhoseMomentsAreElsewhereHoldNone) {
    Parameters parameters{specs(), Purpose::training, DType::float32, Backing::memory, {}, Moments::elsewhere};

    parameters.initialize(Seed{1});

    EXPECT_EQ(parameters.moment_bytes(), 0u);
    EXPECT_TRUE(parameters.first_moment<float>(ParameterId{0}).empty());
    EXPECT_EQ(parameters.values<float>(ParameterId{1})[0], 1);
}

TEST(Parameters, OfALeafStartAsThoseOfTheWholeModel) {
    auto list = specs();
    list[0].cut = {.axis = Cut::Axis::rows, .blocks = {{.rows = 60, .units = 4}, {.rows = 40, .units = 2}}};
    list.push_back({.name = "columns", .shape = Shape{3, 8}, .init_std = 1, .cut = {.axis = Cut::Axis::columns}});
    Parameters whole{list, Purpose::inference};
    whole.initialize(Seed{5});

    for (std::int64_t leaf = 0; leaf < 4; ++leaf) {
        Parameters part{list, Purpose::inference, DType::float32, Backing::memory, {.leaves = 4, .first_leaf = leaf}};
        part.initialize(Seed{5});

        const auto all = whole.values<float>(ParameterId{0});
        const auto mine = part.values<float>(ParameterId{0});
        ASSERT_EQ(mine.size(), 35u * 30u);
        EXPECT_EQ(mine[3], all[static_cast<std::size_t>(leaf) * 450 + 3]);
        EXPECT_EQ(mine[15 * 30 + 7], all[static_cast<std::size_t>(60 + leaf / 2 * 20) * 30 + 7]);
        EXPECT_EQ(part.values<float>(ParameterId{2})[2 * 2 + 1],
                  whole.values<float>(ParameterId{2})[16 + static_cast<std::size_t>(leaf) * 2 + 1]);
    }
}

TEST(Parameters, KeptByLeafCollectGradientsApart) {
    std::vector<ParameterSpec> list{{.name = "gain",
                                     .shape = Shape{3},
                                     .init_mean = 1,
                                     .cut = {.axis = Cut::Axis::rows, .blocks = {{.rows = 3, .units = 1}}},
                                     .by_leaf = true}};
    Parameters parameters{list, Purpose::training, DType::float32, Backing::memory, {.leaves = 4, .leaf_count = 2}};
    parameters.initialize(Seed{1});
    Context context{CpuContext{1}};
    const Tensor upper = parameters.leaf(ParameterId{0}, 1);
    std::fill_n(reinterpret_cast<float*>(upper.gradient->data), 3, 7.0F);
    upper.gradient->written = true;

    parameters.finish_step(context);

    EXPECT_EQ(upper.shape, Shape{3});
    EXPECT_EQ(upper.values<float>()[0], 1);
    const auto gradient = parameters.gradient<float>(ParameterId{0});
    EXPECT_EQ(std::vector<float>(gradient.begin(), gradient.end()), (std::vector<float>{0, 0, 0, 7, 7, 7}));
}

TEST(Parameters, AreFoundByName) {
    Parameters parameters{specs(), Purpose::inference};

    EXPECT_EQ(parameters.find("gain"), ParameterId{1});
    EXPECT_THROW(parameters.find("bias"), InputError);
}

}  // namespace
}  // namespace loglog
