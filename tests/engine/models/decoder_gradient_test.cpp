#include <gtest/gtest.h>

#include "engine/models/decoder.hpp"
#include "tests/support/attention_case.hpp"
#include "tests/support/check_gradient.hpp"

namespace loglog::testing {
namespace {

using ModelCase = NamedConfig;

ModelCase with(const char* name, DecoderConfig config, void (*change)(DecoderConfig&)) {
    change(config);
    return {name, resolved(config)};
}

std::vector<ModelCase> cases() {
    using C = DecoderConfig;
    const C gpt = tiny_config();
    return {
        with("Gpt2", gpt, [](C&) {}),
        with("Modern", tiny_modern_config(), [](C&) {}),
        with("Dropout", gpt, [](C& c) { c.dropout = 0.2; }),
        with("ZLoss", gpt, [](C& c) { c.z_loss = 0.1; }),
        with("Untied", gpt, [](C& c) { c.tied_head = false; }),
        with("NoBias", gpt, [](C& c) { c.bias = c.qkv_bias = false; }),
        with("Relu", gpt, [](C& c) { c.activation = MlpKind::relu; }),
        with("GeluErf", gpt, [](C& c) { c.activation = MlpKind::gelu_erf; }),
        with("RotaryWithoutQkNorm", gpt, [](C& c) { c.positions = PositionKind::rotary; }),
        with("NoPositionsQkNorm", gpt,
             [](C& c) {
                 c.positions = PositionKind::none;
                 c.qk_norm = true;
             }),
        with("OneKvHeadRms", gpt,
             [](C& c) {
                 c.kv_heads = 1;
                 c.norm = NormKind::rms;
             }),
        with("Mup", gpt,
             [](C& c) {
                 c.parameterization = {.kind = ParameterizationKind::mup,
                                       .base_width = 8,
                                       .base_layers = 1,
                                       .base_head_dim = 2,
                                       .depth_alpha = 1,
                                       .input_multiplier = 1.5,
                                       .output_multiplier = 2};
             }),
        with("ModernDropoutZLoss", tiny_modern_config(),
             [](C& c) {
                 c.dropout = 0.1;
                 c.z_loss = 0.01;
             }),
    };
}

class DecoderGradient : public ::testing::TestWithParam<ModelCase> {};

TEST_P(DecoderGradient, MatchesCentralDifferencesForEveryParameter) {
    const auto& config = GetParam().config;
    Decoder model{config, Purpose::training, DType::float64};
    model.initialize(Seed{11});
    const TokenCase data{2, 6, config.vocab};
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
    auto& parameters = model.parameters();
    accumulate_gradients(context, tape, model, data, 1);
    std::vector<double> all(parameters.all_gradients<double>().begin(), parameters.all_gradients<double>().end());
    const auto objective = [&] {
        tape.reset();
        const auto loss = model.loss(tape, data.part(0, 2), {.seed = Seed{3}, .gradient_scale = 1.0 / 12});
        return (loss.sum + config.z_loss * loss.z_sum) / 12;
    };

    for (std::size_t index = 0; index < parameters.size(); ++index) {
        const auto id = static_cast<ParameterId>(index);
        // A few values of each parameter, all of the short ones.
        const auto size = std::min<std::size_t>(parameters.values<double>(id).size(), 24);
        const auto offset = parameters.gradient<double>(id).data() - parameters.all_gradients<double>().data();
        const auto analytic = std::span{all}.subspan(static_cast<std::size_t>(offset), size);

        const auto report =
            check_gradient(objective, parameters.values<double>(id).first(size), analytic, model_gradient_tolerance);

        EXPECT_TRUE(report.agrees) << parameters.spec(id).name << " " << report.worst;
    }
}

INSTANTIATE_TEST_SUITE_P(Models, DecoderGradient, ::testing::ValuesIn(cases()),
                         [](const auto& parameter) { return parameter.param.name; });
INSTANTIATE_TEST_SUITE_P(Attention, DecoderGradient, ::testing::ValuesIn(attention_configs()),
                         [](const auto& parameter) { return parameter.param.name; });

}  // namespace
}  // namespace loglog::testing
