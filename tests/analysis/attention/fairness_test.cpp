#include <gmock/gmock.h>

#include "tests/analysis/attention/comparison_case.hpp"

namespace loglog {
namespace {

using ::testing::AllOf;
using testing::codes;
using testing::compare_options;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using testing::variant;

TEST(Tuning, FindsTheBracketAndTheRecheck) {
    const Comparison c = compare_attention(SyntheticComparison{}.runs(), compare_options());

    const Tuning& tuning = variant(c, "gdn").tuning;
    EXPECT_EQ(tuning.runs, 10);
    ASSERT_EQ(tuning.search.size(), 1u);
    EXPECT_EQ(tuning.search[0].points.size(), 5u);
    EXPECT_TRUE(tuning.search[0].bracketed);
    EXPECT_EQ(tuning.search[0].best, 4e-3);
    EXPECT_EQ(tuning.search[0].size, "2x64");
    EXPECT_TRUE(tuning.recheck_agrees);
    EXPECT_EQ(tuning.recheck_excess, 0);
}

TEST(Grouping, LetsTheBestRunOfASearchStandForTheMainRunThatItSaves) {
    const auto all = SyntheticComparison{}.runs();
    const Comparison whole = compare_attention(all, compare_options());
    // The sweep's planner does not train the first size's first seed again.
    std::vector<ComparedRun> runs;
    for (const ComparedRun& run : all) {
        const bool is_saved = run.record.name == "main" && *run.record.width == 64 && *run.record.seed == 1;
        if (!is_saved) { runs.push_back(run); }
    }

    const RunGroups groups = group_runs(runs, "dense");

    EXPECT_EQ(groups.sizes.size(), whole.sizes.size());
    for (const VariantGroup& variant : groups.variants) {
        EXPECT_THAT(variant.placed, SizeIs(6)) << variant.name;
        EXPECT_TRUE(variant.is_paired || variant.is_control);
    }
    EXPECT_THAT(groups.repeated, SizeIs(0));
}

TEST(Tuning, TakesTheMiddleOfARecheckFromTheMainRuns) {
    std::vector<ComparedRun> runs;
    for (const ComparedRun& run : SyntheticComparison{}.runs()) {
        if (run.record.name != "lr-recheck" || *run.record.lr != 4e-3) { runs.push_back(run); }
    }

    const Comparison c = compare_attention(runs, compare_options());

    EXPECT_TRUE(variant(c, "gdn").tuning.recheck_agrees);
    EXPECT_THAT(variant(c, "gdn").tuning.recheck[0].points, SizeIs(5));
}

/// As sweeps of kind attention name and share runs: the search's best run stands in for the main run of its size and
/// seed, and the re-check's middle is the main run.
std::vector<ComparedRun> shared_runs() {
    auto runs = SyntheticComparison{}.runs();
    std::erase_if(runs, [](const ComparedRun& run) {
        const RunRecord& r = run.record;
        const bool first_main = r.name == "main" && *r.width == 64 && *r.seed == 1;
        return first_main || (r.name == "lr-recheck" && (*r.lr < 1.9e-3 || *r.lr > 8.1e-3 || *r.lr == 4e-3));
    });
    for (auto& run : runs) { run.record.name += " " + run.record.attention; }
    return runs;
}

TEST(CompareAttention, LetsTheBestRunOfASearchStandForItsMainRun) {
    const Comparison c = compare_attention(shared_runs(), compare_options());

    EXPECT_EQ(c.compared, 24u);
    EXPECT_EQ(variant(c, "gdn").sizes[0].runs, 2);
    EXPECT_TRUE(variant(c, "gdn").is_paired);
    EXPECT_THAT(c.repeated, IsEmpty());
    EXPECT_EQ(variant(c, "gdn").tuning.search[0].points.size(), 5u);
}

TEST(Tuning, TakesTheMainRunAsTheMiddleOfARecheck) {
    const Tuning tuning = variant(compare_attention(shared_runs(), compare_options()), "gdn").tuning;

    ASSERT_EQ(tuning.recheck.size(), 1u);
    EXPECT_EQ(tuning.recheck[0].points.size(), 3u);
    EXPECT_EQ(tuning.runs, 5 + 2);
    ASSERT_TRUE(tuning.recheck_excess);
    EXPECT_TRUE(tuning.recheck_agrees);
}

TEST(Tuning, CountsADivergedRateAsABracket) {
    auto runs = SyntheticComparison{}.runs();
    for (auto& run : runs) {
        if (run.record.attention == "gdn" && run.record.name == "lr-search" && *run.record.lr > 5e-3) {
            run.record.state = RunState::diverged;
        }
    }

    const Comparison c = compare_attention(runs, compare_options());

    EXPECT_TRUE(variant(c, "gdn").tuning.search[0].bracketed);
    EXPECT_EQ(variant(c, "gdn").tuning.search[0].points[3].failed, 1);
    EXPECT_THAT(c.failures, SizeIs(2));
}

TEST(Fairness, HasNothingToSayOfAFairSweepButItsFewSeeds) {
    SyntheticComparison sweep;
    const Comparison two = compare_attention(sweep.runs(), compare_options());
    sweep.seeds = 3;
    const Comparison three = compare_attention(sweep.runs(), compare_options());

    EXPECT_THAT(codes(two.warnings), Contains("few_seeds"));
    for (const auto& warning : three.warnings) {
        EXPECT_THAT(warning.code, ::testing::AnyOf("floor_not_identified")) << warning.text;
    }
}

struct Violation {
    std::string code;
    void (*commit)(ComparedRun&);
    friend void PrintTo(const Violation& violation, std::ostream* out) { *out << violation.code; }
};

class FairnessViolation : public ::testing::TestWithParam<Violation> {};

TEST_P(FairnessViolation, IsTold) {
    auto runs = SyntheticComparison{}.runs();
    for (auto& run : runs) {
        if (run.record.attention == "gdn") { GetParam().commit(run); }
    }

    const Comparison c = compare_attention(runs, compare_options(20));

    EXPECT_THAT(c.warnings,
                Contains(AllOf(Field(&Warning::code, GetParam().code), Field(&Warning::text, HasSubstr("gdn")))));
    EXPECT_THAT(codes(compare_attention(SyntheticComparison{}.runs(), compare_options(20)).warnings),
                Not(Contains(GetParam().code)));
}

INSTANTIATE_TEST_SUITE_P(
    Codes, FairnessViolation,
    ::testing::Values(
        Violation{"different_data", [](ComparedRun& run) { run.record.data_hash = "4567"; }},
        Violation{"different_context", [](ComparedRun& run) { run.record.context = 512; }},
        Violation{"different_vocabulary", [](ComparedRun& run) { run.record.vocab = 1024; }},
        Violation{"different_batch", [](ComparedRun& run) { run.record.batch_tokens = 16384; }},
        Violation{"different_parameterization", [](ComparedRun& run) { run.record.parameterization = "sp"; }},
        Violation{"different_code", [](ComparedRun& run) { run.record.code_version = "9"; }},
        Violation{"different_schedule",
                  [](ComparedRun& run) { run.record.spec = R"({"train":{"schedule":{"kind":"cosine"}}})"; }},
        Violation{"different_tokens", [](ComparedRun& run) { *run.record.tokens += *run.record.tokens / 100; }},
        Violation{"missing_sizes",
                  [](ComparedRun& run) {
                      if (*run.record.width == 256) { run.record.state = RunState::stopped; }
                  }},
        Violation{"unequal_parameters",
                  [](ComparedRun& run) { *run.record.non_embedding_params += *run.record.non_embedding_params / 50; }},
        Violation{"unpaired_seeds",
                  [](ComparedRun& run) {
                      if (run.record.name == "main") { *run.record.seed += 50; }
                  }},
        Violation{"no_learning_rate_search",
                  [](ComparedRun& run) {
                      if (run.record.name != "main") { run.record.attention = "other"; }
                  }},
        Violation{"few_learning_rates",
                  [](ComparedRun& run) {
                      if (run.record.name == "lr-search" && *run.record.lr > 1e-2) { run.record.attention = "other"; }
                  }},
        Violation{"coarse_learning_rates",
                  [](ComparedRun& run) {
                      if (run.record.name == "lr-search" && *run.record.lr > 1e-2) { *run.record.lr *= 2; }
                  }},
        Violation{"learning_rate_not_bracketed",
                  [](ComparedRun& run) {
                      if (run.record.name == "lr-search") { *run.record.final_val_loss = 5 - *run.record.lr; }
                  }},
        Violation{"untuned_learning_rate",
                  [](ComparedRun& run) {
                      if (run.record.name == "main") { run.record.lr = 1e-3; }
                  }},
        Violation{"unequal_tuning_budget",
                  [](ComparedRun& run) {
                      if (run.record.name == "lr-search" && *run.record.lr > 1e-2) { run.record.attention = "other"; }
                  }},
        Violation{"no_recheck",
                  [](ComparedRun& run) {
                      if (run.record.name == "lr-recheck") { run.record.attention = "other"; }
                  }},
        Violation{"recheck_incomplete",
                  [](ComparedRun& run) {
                      if (run.record.name == "lr-recheck" && *run.record.lr == 4e-3) {
                          run.record.state = RunState::failed;
                      }
                  }},
        Violation{"recheck_disagrees",
                  [](ComparedRun& run) {
                      if (run.record.name == "lr-recheck") { *run.record.final_val_loss = 5 - 10 * *run.record.lr; }
                  }}),
    [](const auto& violation) { return violation.param.code; });

TEST(Fairness, MissesAControl) {
    SyntheticComparison sweep;
    sweep.kinds.pop_back();

    EXPECT_THAT(codes(compare_attention(sweep.runs(), compare_options(20)).warnings), Contains("no_control"));
}

}  // namespace
}  // namespace loglog
