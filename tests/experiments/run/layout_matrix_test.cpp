#include <gmock/gmock.h>

#include <map>
#include <vector>

#include "distributed/mpi/communicator.hpp"
#include "experiments/run/layout_trial.hpp"

namespace loglog {
namespace {

constexpr std::int64_t vocab = 257;  // which no number of ranks divides

struct Model {
    std::string name;
    std::int64_t context;
    int steps;
    AttentionSpec attention;
};

/// Layers of every family of kinds: all keys, few keys, a decayed state, one that is corrected. Window, chunks and
/// convolution reach over less than the context, and each pipeline stage of four has another kind.
AttentionSpec hybrid() {
    return {.layers = {"dense", "window", "ssd", "gdn"},
            .window = 12,
            .sinks = 2,
            .chunk = 8,
            .output_gate = 1,
            .match_parameters = false};  // MLPs keep a width that all numbers of ranks divide
}

const std::vector<Model> models{{"dense", 16, 20, {}}, {"hybrid", 32, 4, hybrid()}};

/// Tied embeddings, grouped keys and values, qk-norm, dropout.
RunSpec small_spec(const Model& model, Reduction reduction) {
    RunSpec spec;
    spec.data.synthetic.documents = 1;
    spec.model.layers = 4;
    spec.model.width = 32;
    spec.model.heads = 4;
    spec.model.kv_heads = 2;
    spec.model.context = model.context;
    spec.model.dropout = 0.1;
    spec.model.qk_norm = true;
    spec.model.attention = model.attention;
    spec.train.tokens = model.context * 8 * model.steps;
    spec.train.batch_tokens = model.context * 8;
    spec.train.micro_batch = 1;
    spec.train.z_loss = 1e-4;
    spec.layout.reduction = reduction;
    return resolve(spec, vocab);
}

void counting_windows(std::uint64_t position, std::span<std::int32_t> window) {
    for (std::size_t i = 0; i < window.size(); ++i) {
        window[i] = static_cast<std::int32_t>((position * 7 + i * 3) % static_cast<std::uint64_t>(vocab));
    }
}

struct Case {
    Layout layout;
    PipelineSchedule schedule = PipelineSchedule::one_f_one_b;
    int zero = 0;
    bool sequence_parallel = false;
};

std::string describe(const Case& c) {
    return to_string(c.layout) + " " + to_string(c.schedule) + " zero " + std::to_string(c.zero) +
           (c.sequence_parallel ? " sequence parallel" : "");
}

/// Every layout of so many ranks, under every schedule and with and without sharded moments where these matter.
std::vector<Case> cases(int ranks) {
    std::vector<Case> result;
    for (const int tp : {1, 2, 4}) {
        for (const int pp : {1, 2, 4}) {
            for (const int dp : {1, 2}) {
                if (dp * tp * pp != ranks) { continue; }
                std::vector schedules{PipelineSchedule::one_f_one_b};
                if (pp > 1) {
                    schedules.push_back(PipelineSchedule::gpipe);
                    schedules.push_back(PipelineSchedule::zb_h1);
                }
                if (pp == 2) { schedules.push_back(PipelineSchedule::interleaved); }
                for (const auto schedule : schedules) {
                    for (int zero = 0; zero <= (dp > 1 ? 1 : 0); ++zero) {
                        result.push_back({{dp, tp, pp}, schedule, zero});
                    }
                }
            }
        }
    }
    return result;
}

RunSpec spec_of(const Model& model, const Case& c, Reduction reduction) {
    RunSpec spec = with_layout(small_spec(model, reduction), c.layout);
    spec.layout.schedule = c.schedule;
    spec.layout.zero = c.zero;
    spec.layout.sequence_parallel = c.sequence_parallel;
    return spec;
}

class LayoutMatrix : public ::testing::TestWithParam<Model> {
  protected:
    LayoutTrial trial_of(const Case& c, Reduction reduction) const {
        return try_layout(spec_of(GetParam(), c, reduction), counting_windows, GetParam().steps, 1,
                          c.layout.ranks() == 1 ? nullptr : &world);
    }

    const Communicator world = Communicator::world();
};

TEST_P(LayoutMatrix, TreeReductionsGiveTheSameBitsUnderEveryLayout) {
    const auto alone = trial_of({{1, 1, 1}}, Reduction::tree);

    for (const auto& c : cases(world.size())) {
        SCOPED_TRACE(describe(c));
        const auto trial = trial_of(c, Reduction::tree);
        EXPECT_EQ(trial.losses, alone.losses);
        EXPECT_EQ(trial.gradient_norms, alone.gradient_norms);
        EXPECT_EQ(trial.parameter_hash, alone.parameter_hash);
    }
}

TEST_P(LayoutMatrix, FastReductionsStayWithinTheirTolerances) {
    const auto alone = trial_of({{1, 1, 1}}, Reduction::fast);

    auto all = cases(world.size());
    for (const auto& c : cases(world.size())) {
        if (c.layout.tp > 1) {
            all.push_back(c);
            all.back().sequence_parallel = true;
        }
    }
    for (const auto& c : all) {
        SCOPED_TRACE(describe(c));
        const auto trial = trial_of(c, Reduction::fast);
        const auto difference = compare(alone, trial, Reduction::fast);
        EXPECT_TRUE(difference.within_promise) << "loss " << difference.loss << " norm " << difference.gradient_norm;
    }
}

INSTANTIATE_TEST_SUITE_P(Models, LayoutMatrix, ::testing::ValuesIn(models),
                         [](const auto& parameter) { return parameter.param.name; });

TEST(CompareTrials, FindsOneThatIsOff) {
    const auto alone =
        try_layout(spec_of(models.front(), {{1, 1, 1}}, Reduction::fast), counting_windows, 2, 1, nullptr);
    auto off = alone;
    off.losses[0] *= 1 + 2e-5;
    auto other_bits = alone;
    other_bits.parameter_hash = "0";

    EXPECT_FALSE(compare(alone, off, Reduction::fast).within_promise);
    EXPECT_FALSE(compare(alone, other_bits, Reduction::tree).within_promise);
    EXPECT_TRUE(compare(alone, alone, Reduction::tree).within_promise);
}

}  // namespace
}  // namespace loglog
