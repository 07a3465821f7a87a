#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "tests/support/decoder_case.hpp"

namespace loglog::testing {
namespace {

constexpr std::int64_t sequences = 3;
constexpr std::int64_t time_steps = 12;

std::uint32_t mixed(std::uint64_t i) {
    auto x = static_cast<std::uint32_t>(i * 2654435761u);
    x ^= x >> 15;
    x *= 2246822519u;
    return x ^ (x >> 13);
}

using Golden = std::map<std::string, std::vector<float>>;

Golden read_golden(const std::string& name) {
    std::ifstream file{std::string{LOGLOG_SOURCE_DIR} + "/tests/golden/torch_parity_" + name + ".bin",
                       std::ios::binary};
    Golden golden;
    std::uint32_t length = 0;
    while (file.read(reinterpret_cast<char*>(&length), sizeof length)) {
        std::string key(length, ' ');
        file.read(key.data(), length);
        file.read(reinterpret_cast<char*>(&length), sizeof length);
        auto& values = golden[key];
        values.resize(length);
        file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(length * sizeof(float)));
    }
    return golden;
}

DecoderConfig config_of(const std::string& name) {
    auto config = name == "modern" ? tiny_modern_config() : tiny_config();
    config.vocab = 37;
    config.context = time_steps;
    if (name == "modern") { config.mlp_width = 48; }
    return config;
}

/// The same weights as the script's: the scale depends on what a parameter is.
void set_weights(Parameters& parameters) {
    for (std::size_t index = 0; index < parameters.size(); ++index) {
        const auto& spec = parameters.specs()[index];
        const bool gain = spec.name.ends_with(".gain");
        const bool table = spec.name.ends_with("_embedding") || spec.name == "head";
        const double mean = gain ? 1 : 0;
        const double scale = table ? 0.5 : spec.name.ends_with(".weight") ? 0.4 : 0.2;
        const auto values = parameters.values<float>(static_cast<ParameterId>(index));
        for (std::size_t i = 0; i < values.size(); ++i) {
            const double draw = mixed(1000003 * (index + 1) + i) * 0x1.0p-32;
            values[i] = static_cast<float>(mean + scale * (2 * draw - 1));
        }
    }
}

TokenCase token_case(std::int64_t vocab) {
    TokenCase data{sequences, time_steps, vocab};
    for (std::int64_t i = 0; i < sequences * time_steps; ++i) {
        const auto place = static_cast<std::uint64_t>(77 + i + i / time_steps);
        const auto size = static_cast<std::uint32_t>(vocab);
        data.tokens[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(mixed(place) % size);
        data.targets[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(mixed(place + 1) % size);
    }
    return data;
}

/// Largest |a - b| in units of the largest |b|.
double relative_difference(std::span<const float> a, std::span<const float> b) {
    EXPECT_EQ(a.size(), b.size());
    double difference = 0;
    double size = 0;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
        difference = std::max(difference, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
        size = std::max(size, std::abs(static_cast<double>(b[i])));
    }
    return difference / std::max(size, 1e-3);  // a key bias has no gradient but rounding
}

class TorchParity : public ::testing::TestWithParam<const char*> {
  protected:
    TorchParity() : golden{read_golden(GetParam())}, model{config_of(GetParam())}, data{token_case(37)} {
        set_weights(model.parameters());
    }

    Golden golden;
    Decoder model;
    TokenCase data;
    Context context{CpuContext{1}};
    Arena arena;
};

TEST_P(TorchParity, LogitsAgree) {
    Tape tape{context, arena, Mode::evaluate};

    const Tensor logits = model.logits(tape, data.tokens, sequences, time_steps);

    EXPECT_LT(relative_difference(logits.values<float>(), golden["logits"]), 1e-5);
}

TEST_P(TorchParity, LossAndGradientsAgree) {
    Tape tape{context, arena, Mode::train};

    const double loss = accumulate_gradients(context, tape, model, data, 1);

    EXPECT_NEAR(loss, static_cast<double>(golden["losses"].at(0)), 1e-6 * loss);
    EXPECT_NEAR(gradient_norm(context, model.parameters()), static_cast<double>(golden["gradient_norms"].at(0)), 1e-5);
    for (std::size_t index = 0; index < model.parameters().size(); ++index) {
        const auto& name = model.parameters().specs()[index].name;
        const auto gradient = model.parameters().gradient<float>(static_cast<ParameterId>(index));
        EXPECT_LT(relative_difference(gradient, golden["gradient " + name]), 1e-5) << name;
    }
}

TEST_P(TorchParity, TenAdamWStepsAgree) {
    Tape tape{context, arena, Mode::train};
    const AdamWSettings settings{.beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-4, .weight_decay = 0.1, .clip = 1.0};

    for (std::int64_t step = 0; step < 10; ++step) {
        const double loss = accumulate_gradients(context, tape, model, data, 3);
        const auto report = adamw_step(context, model.parameters(), settings, 1e-3, step + 1);

        const auto place = static_cast<std::size_t>(step);
        EXPECT_NEAR(loss, static_cast<double>(golden["losses"].at(place)), 1e-5 * loss) << step;
        EXPECT_NEAR(report.gradient_norm, static_cast<double>(golden["gradient_norms"].at(place)),
                    1e-5 * report.gradient_norm)
            << step;
    }
    for (std::size_t index = 0; index < model.parameters().size(); ++index) {
        const auto& name = model.parameters().specs()[index].name;
        const auto values = model.parameters().values<float>(static_cast<ParameterId>(index));
        EXPECT_LT(relative_difference(values, golden["final " + name]), 1e-5) << name;
    }
}

INSTANTIATE_TEST_SUITE_P(Models, TorchParity, ::testing::Values("gpt2", "modern"));

}  // namespace
}  // namespace loglog::testing
