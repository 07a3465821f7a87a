#pragma once

#include <cstdint>

namespace loglog {

/// What a parameter is, as far as initial values and the optimizer are concerned.
enum class ParameterClass : std::uint8_t {
    token_embedding,
    position_embedding,
    hidden_matrix,
    hidden_vector,  ///< biases and gains inside the blocks
    final_norm,
    unembedding,  ///< an untied output table
};

/// sp: the same lr for all, N(0, init_std), residual projections scaled by 1 / sqrt(2 layers) (GPT-2).
/// mup: hyper-parameters found at the base width and depth carry over to others (Yang et al. 2022, arXiv:2203.03466,
/// for width; Dey et al. 2025, CompleteP, arXiv:2505.01618, for depth). At the base shape it equals sp.
enum class ParameterizationKind : std::uint8_t { sp, mup };

struct Parameterization {
    ParameterizationKind kind = ParameterizationKind::sp;
    std::int64_t base_width = 64;
    std::int64_t base_layers = 2;
    std::int64_t base_head_dim = 32;
    double depth_alpha = 1;        ///< residual branches scale as (layers / base_layers)^-depth_alpha
    double input_multiplier = 1;   ///< a_in
    double output_multiplier = 1;  ///< a_out
};

/// Factors on the optimizer's settings for one parameter. AdamW's decay per step is lr * weight_decay.
struct OptimizerMultipliers {
    double lr = 1;
    double weight_decay = 1;
    double epsilon = 1;
};

/// The numbers that a parameterization gives a model of `width`, `layers` and `head_dim`.
class ParameterizationRule {
  public:
    ParameterizationRule(const Parameterization& parameterization, std::int64_t width, std::int64_t layers,
                         std::int64_t head_dim);

    OptimizerMultipliers multipliers(ParameterClass kind) const;
    /// Factor on init_std of a normally distributed parameter; `residual_output` for projections that end a branch.
    double init_multiplier(ParameterClass kind, bool residual_output) const;
    double embedding_multiplier() const;
    double logit_multiplier() const;
    double attention_scale() const;
    double residual_multiplier() const;

  private:
    bool mup() const { return parameterization_.kind == ParameterizationKind::mup; }

    Parameterization parameterization_;
    double width_ratio_;
    double depth_ratio_;
    double layers_;
    double head_dim_;
};

}  // namespace loglog
