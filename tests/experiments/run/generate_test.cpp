#include <gtest/gtest.h>

#include <algorithm>

#include "experiments/run/sample.hpp"
#include "tests/support/attention_case.hpp"

namespace loglog::testing {
namespace {

class Generate : public ::testing::TestWithParam<NamedConfig> {
  protected:
    TrainedModel untrained(std::int64_t tokens) const {
        auto config = GetParam().config;
        const auto tokenizer = Tokenizer::bytes();
        config.vocab = tokenizer.vocab_size();
        config.context = tokens;
        if (config.attention.kind == AttentionKind::pattern) {
            config.attention.pattern = "block 1\n";
            for (std::int64_t row = 0; row < tokens; ++row) {
                config.attention.pattern += std::to_string(row / 2) + "-" + std::to_string(row) + "\n";
            }
        }
        TrainedModel trained{{}, Decoder{config, Purpose::inference}, tokenizer, 0};
        trained.model.initialize(Seed{4});
        return trained;
    }

    std::vector<std::int32_t> continued(TrainedModel& trained, std::string_view prompt,
                                        const SamplingOptions& options) {
        std::vector<std::int32_t> made;
        generate(trained, context, prompt, options, [&](std::int32_t token) { made.push_back(token); });
        return made;
    }

    Context context{CpuContext{1}};
};

TEST_P(Generate, TakesTheLikeliestTokensOfTheWholeText) {
    auto trained = untrained(24);

    const auto made = continued(trained, "loglog", {.tokens = 12, .temperature = 0});

    std::vector<std::int32_t> text{trained.tokenizer.end_of_document()};
    trained.tokenizer.encode("loglog", text);
    const std::size_t given = text.size();
    text.insert(text.end(), made.begin(), made.end());
    Arena arena;
    Tape tape{context, arena, Mode::evaluate};
    const Tensor logits = trained.model.logits(tape, text, 1, static_cast<std::int64_t>(text.size()));
    const auto vocab = static_cast<std::size_t>(trained.tokenizer.vocab_size());
    ASSERT_FALSE(made.empty());
    for (std::size_t i = 0; i < made.size(); ++i) {
        const auto row = logits.values<float>().subspan((given + i - 1) * vocab, vocab);
        const float chosen = row[static_cast<std::size_t>(made[i])];
        // Sums in another order: within rounding of the largest, as for decoding.
        EXPECT_NEAR(chosen, *std::ranges::max_element(row), 2e-5) << "token " << i;
    }
}

TEST_P(Generate, GoesOnBeyondTheContextAndRepeatsASeed) {
    auto trained = untrained(8);
    const SamplingOptions options{.tokens = 30, .temperature = 2, .seed = Seed{3}};

    const auto first = continued(trained, "loglog", options);

    EXPECT_GT(first.size(), 8u);  // unless the document ends, which an untrained model draws in 257 tokens once
    EXPECT_EQ(continued(trained, "loglog", options), first);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Generate, ::testing::ValuesIn(attention_configs()),
                         [](const auto& parameter) { return parameter.param.name; });

}  // namespace
}  // namespace loglog::testing
