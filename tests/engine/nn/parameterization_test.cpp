#include "engine/nn/parameterization.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace loglog {
namespace {

constexpr Parameterization mup{.kind = ParameterizationKind::mup,
                               .base_width = 64,
                               .base_layers = 2,
                               .base_head_dim = 16,
                               .depth_alpha = 1,
                               .input_multiplier = 3,
                               .output_multiplier = 5};

TEST(Parameterization, OfMupFollowsItsTable) {
    const ParameterizationRule rule{mup, 256, 8, 64};  // width x 4, depth x 4

    const auto matrix = rule.multipliers(ParameterClass::hidden_matrix);
    EXPECT_DOUBLE_EQ(matrix.lr, 0.25);
    EXPECT_DOUBLE_EQ(matrix.weight_decay, 4);
    EXPECT_DOUBLE_EQ(matrix.epsilon, 1.0 / 16);
    const auto vector = rule.multipliers(ParameterClass::hidden_vector);
    EXPECT_DOUBLE_EQ(vector.lr, 1);
    EXPECT_DOUBLE_EQ(vector.weight_decay, 0);
    EXPECT_DOUBLE_EQ(vector.epsilon, 1.0 / 16);
    EXPECT_DOUBLE_EQ(rule.multipliers(ParameterClass::token_embedding).epsilon, 0.25);
    EXPECT_DOUBLE_EQ(rule.multipliers(ParameterClass::final_norm).weight_decay, 0);
    EXPECT_DOUBLE_EQ(rule.multipliers(ParameterClass::unembedding).epsilon, 1);
    EXPECT_DOUBLE_EQ(rule.init_multiplier(ParameterClass::hidden_matrix, false), 0.5);
    EXPECT_DOUBLE_EQ(rule.init_multiplier(ParameterClass::token_embedding, false), 1);
    EXPECT_DOUBLE_EQ(rule.residual_multiplier(), 0.25);
    EXPECT_DOUBLE_EQ(rule.logit_multiplier(), 5.0 / 4);
    EXPECT_DOUBLE_EQ(rule.embedding_multiplier(), 3);
    EXPECT_DOUBLE_EQ(rule.attention_scale(), 4.0 / 64);
}

TEST(Parameterization, WithDepthAlphaOfOneHalfScalesLrWithDepth) {
    auto half = mup;
    half.depth_alpha = 0.5;
    const ParameterizationRule rule{half, 64, 8, 16};

    EXPECT_DOUBLE_EQ(rule.multipliers(ParameterClass::hidden_matrix).lr, 0.5);
    EXPECT_DOUBLE_EQ(rule.multipliers(ParameterClass::hidden_vector).lr, 0.5);
    EXPECT_DOUBLE_EQ(rule.residual_multiplier(), 0.5);
}

TEST(Parameterization, OfMupEqualsSpAtTheBaseShape) {
    auto base = mup;
    base.input_multiplier = base.output_multiplier = 1;
    const ParameterizationRule at_base{base, 64, 2, 16};
    const ParameterizationRule sp{Parameterization{}, 64, 2, 16};

    for (const auto kind : {ParameterClass::token_embedding, ParameterClass::hidden_matrix,
                            ParameterClass::hidden_vector, ParameterClass::final_norm, ParameterClass::unembedding}) {
        EXPECT_DOUBLE_EQ(at_base.multipliers(kind).lr, sp.multipliers(kind).lr);
        EXPECT_DOUBLE_EQ(at_base.multipliers(kind).weight_decay, sp.multipliers(kind).weight_decay);
        EXPECT_DOUBLE_EQ(at_base.multipliers(kind).epsilon, sp.multipliers(kind).epsilon);
        EXPECT_DOUBLE_EQ(at_base.init_multiplier(kind, true), sp.init_multiplier(kind, true));
    }
    EXPECT_DOUBLE_EQ(at_base.attention_scale(), sp.attention_scale());
    EXPECT_DOUBLE_EQ(at_base.residual_multiplier(), sp.residual_multiplier());
    EXPECT_DOUBLE_EQ(at_base.logit_multiplier(), sp.logit_multiplier());
}

TEST(Parameterization, OfSpShrinksResidualProjectionsWithDepth) {
    const ParameterizationRule rule{Parameterization{}, 256, 8, 64};

    EXPECT_DOUBLE_EQ(rule.init_multiplier(ParameterClass::hidden_matrix, true), 0.25);
    EXPECT_DOUBLE_EQ(rule.init_multiplier(ParameterClass::hidden_matrix, false), 1);
    EXPECT_DOUBLE_EQ(rule.attention_scale(), 0.125);
}

}  // namespace
}  // namespace loglog
