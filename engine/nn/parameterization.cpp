#include "engine/nn/parameterization.hpp"

#include <cmath>

namespace loglog {

ParameterizationRule::ParameterizationRule(const Parameterization& parameterization, std::int64_t width,
                                           std::int64_t layers, std::int64_t head_dim)
    : parameterization_{parameterization},
      width_ratio_{static_cast<double>(width) / static_cast<double>(parameterization.base_width)},
      depth_ratio_{static_cast<double>(layers) / static_cast<double>(parameterization.base_layers)},
      layers_{static_cast<double>(layers)},
      head_dim_{static_cast<double>(head_dim)} {}

OptimizerMultipliers ParameterizationRule::multipliers(ParameterClass kind) const {
    const bool is_vector = kind == ParameterClass::hidden_vector || kind == ParameterClass::final_norm;
    OptimizerMultipliers result{.lr = 1, .weight_decay = is_vector ? 0.0 : 1.0, .epsilon = 1};
    if (!mup()) { return result; }
    const double depth_lr = std::pow(depth_ratio_, parameterization_.depth_alpha - 1);
    const double hidden_epsilon = std::pow(depth_ratio_, -parameterization_.depth_alpha) / width_ratio_;
    switch (kind) {
        case ParameterClass::token_embedding:
        case ParameterClass::position_embedding:
            result.epsilon = 1 / width_ratio_;
            break;
        case ParameterClass::hidden_matrix:
            result = {.lr = depth_lr / width_ratio_, .weight_decay = width_ratio_, .epsilon = hidden_epsilon};
            break;
        case ParameterClass::hidden_vector:
            result = {.lr = depth_lr, .weight_decay = 0, .epsilon = hidden_epsilon};
            break;
        case ParameterClass::final_norm:
        case ParameterClass::unembedding:
            break;
    }
    return result;
}

double ParameterizationRule::init_multiplier(ParameterClass kind, bool residual_output) const {
    if (kind != ParameterClass::hidden_matrix) { return 1; }
    // GPT-2 shrinks the projections that end a branch with depth; mup shrinks the branch itself, and keeps here only
    // the base model's constant so that both agree at the base shape.
    const double depth = mup() ? static_cast<double>(parameterization_.base_layers) : layers_;
    const double branch = residual_output ? 1 / std::sqrt(2 * depth) : 1.0;
    return mup() ? branch / std::sqrt(width_ratio_) : branch;
}

double ParameterizationRule::embedding_multiplier() const { return mup() ? parameterization_.input_multiplier : 1; }

double ParameterizationRule::logit_multiplier() const {
    return mup() ? parameterization_.output_multiplier / width_ratio_ : 1;
}

double ParameterizationRule::attention_scale() const {
    return mup() ? std::sqrt(static_cast<double>(parameterization_.base_head_dim)) / head_dim_
                 : 1 / std::sqrt(head_dim_);
}

double ParameterizationRule::residual_multiplier() const {
    return mup() ? std::pow(depth_ratio_, -parameterization_.depth_alpha) : 1;
}

}  // namespace loglog
