#include "experiments/run/performance_model.hpp"

#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <cstdio>

#include "distributed/pipeline_parallel/schedule.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/estimate.hpp"

namespace loglog {
namespace {

// A row of table 1 of Narayanan et al. 2021, arXiv:2104.04473.
struct Published {
    double billions;
    std::int64_t heads;
    std::int64_t width;
    std::int64_t layers;
    std::int64_t tp;
    std::int64_t pp;
    std::int64_t ranks;
    std::int64_t batch;
    double teraflops;  // per GPU
};

constexpr std::array<Published, 10> table_1{{{1.7, 24, 2304, 24, 1, 1, 32, 512, 137},
                                             {3.6, 32, 3072, 30, 2, 1, 64, 512, 138},
                                             {7.5, 32, 4096, 36, 4, 1, 128, 512, 142},
                                             {18.4, 48, 6144, 40, 8, 1, 256, 1024, 135},
                                             {39.1, 64, 8192, 48, 8, 2, 512, 1536, 138},
                                             {76.1, 80, 10240, 60, 8, 4, 1024, 1792, 140},
                                             {145.6, 96, 12288, 80, 8, 8, 1536, 2304, 148},
                                             {310.1, 128, 16384, 96, 8, 16, 1920, 2160, 155},
                                             {529.6, 128, 20480, 105, 8, 35, 2520, 2520, 163},
                                             {1008.0, 160, 25600, 128, 8, 64, 3072, 3072, 163}}};

RunSpec spec_of(const Published& row) {
    RunSpec spec;
    spec.data.synthetic.documents = 1;
    spec.model.layers = row.layers;
    spec.model.width = row.width;
    spec.model.heads = row.heads;
    spec.model.vocab = 51'200;
    spec.model.context = 2'048;
    spec.train.batch_tokens = row.batch * 2'048;
    spec.train.micro_batch = 1;
    spec.layout = {.dp = row.ranks / row.tp / row.pp, .tp = row.tp, .pp = row.pp};
    if (row.pp > 1) { spec.layout.schedule = PipelineSchedule::interleaved; }
    return resolve(spec, 51'200);
}

// The paper's equation 3: FLOPs of a step with activation recomputation.
double published_flops(const Published& row) {
    const double h = static_cast<double>(row.width);
    const double l = static_cast<double>(row.layers);
    const double s = 2'048;
    return 96 * static_cast<double>(row.batch) * s * l * h * h * (1 + s / (6 * h) + 51'200 / (16 * l * h));
}

TEST(PerformanceModel, PredictsThePublishedMegatronTable) {
    const Machine machine = load_machine(std::string{LOGLOG_SOURCE_DIR} + "/examples/clusters/a100-superpod.toml");
    double worst = 0;
    double sum = 0;
    for (const Published& row : table_1) {
        const LayoutPrediction prediction = predict_layout(spec_of(row), machine);
        const double teraflops = published_flops(row) / prediction.step_seconds / static_cast<double>(row.ranks) / 1e12;
        const double error = teraflops / row.teraflops - 1;
        std::printf(
            "%7.1f B: %7.3f s/step, bubble %4.1f%%, %5.1f GB: %5.1f TFLOP/s, published %3.0f: %+.1f%% "
            "[compute %.3f tensor %.3f data %.3f optimizer %.3f]\n",
            row.billions, prediction.step_seconds, 100 * prediction.bubble, prediction.memory_bytes / 1e9, teraflops,
            row.teraflops, 100 * error, prediction.compute_seconds, prediction.tensor_seconds, prediction.data_seconds,
            prediction.optimizer_seconds);
        worst = std::max(worst, std::abs(error));
        sum += std::abs(error);
        EXPECT_LT(prediction.memory_bytes, 80e9) << row.billions << " billion parameters";
    }
    EXPECT_LT(worst, 0.20);
    EXPECT_LT(sum / table_1.size(), 0.09);
}

// A rank of 1 GFLOP/s whose memory and messages cost nothing unless a test says so.
Machine plain_machine(int nodes, int ranks_per_node) {
    Machine machine;
    machine.nodes = nodes;
    machine.ranks_per_node = ranks_per_node;
    machine.flops = 1e9;
    machine.share_of_peak = 1;
    machine.bytes_per_second = 1e30;
    machine.intra = machine.inter = {.latency = 0, .bandwidth = 1e30};
    return machine;
}

RunSpec small_spec(LayoutSpec layout = {}) {
    RunSpec spec;
    spec.data.synthetic.documents = 1;
    spec.model.layers = 8;
    spec.model.width = 64;
    spec.model.head_dim = 16;
    spec.model.context = 32;
    spec.model.vocab = 64;
    spec.train.batch_tokens = 16 * 32;
    spec.train.micro_batch = 2;
    spec.layout = layout;
    return resolve(spec, 64);
}

TEST(PerformanceModel, OneRankTakesItsFlopsOverItsRate) {
    const RunSpec spec = small_spec();

    const LayoutPrediction prediction = predict_layout(spec, plain_machine(1, 1));

    const double flops = estimate(spec).flops_per_token * static_cast<double>(spec.train.batch_tokens);
    EXPECT_NEAR(prediction.step_seconds, flops / 1e9, 1e-9 * flops / 1e9);
    EXPECT_EQ(prediction.bubble, 0);
    EXPECT_EQ(prediction.bytes_per_rank, 0);
    const auto counted = static_cast<double>(estimate(spec).memory_bytes);
    EXPECT_NEAR(prediction.memory_bytes, counted, 0.05 * counted) << "layers are told from models of one and two";
}

RunSpec small_hybrid(LayoutSpec layout = {}) {
    RunSpec spec = small_spec(layout);
    spec.model.attention.layers = {"dense", "gdn", "ssd", "gdn", "window", "gdn", "moba", "gla"};
    spec.model.attention.block = 8;
    spec.model.attention.window = 8;
    spec.model.attention.chunk = 8;
    return resolve(spec, 64);
}

TEST(PerformanceModel, OneRankTakesAHybridsFlopsOverItsRate) {
    const RunSpec spec = small_hybrid();

    const LayoutPrediction prediction = predict_layout(spec, plain_machine(1, 1));

    const double flops = estimate(spec).flops_per_token * static_cast<double>(spec.train.batch_tokens);
    EXPECT_NEAR(prediction.step_seconds, flops / 1e9, 1e-6 * flops / 1e9);
    const auto counted = static_cast<double>(estimate(spec).memory_bytes);
    EXPECT_NEAR(prediction.memory_bytes, counted, 0.05 * counted) << "layers count by the mean of their kinds";
}

TEST(PerformanceModel, RanksShareAHybridsWorkWhereMessagesCostNothing) {
    const double alone = predict_layout(small_hybrid(), plain_machine(1, 1)).step_seconds;

    EXPECT_NEAR(predict_layout(small_hybrid({.dp = 4}), plain_machine(1, 4)).step_seconds, alone / 4, 1e-6 * alone);
    EXPECT_GT(predict_layout(small_hybrid({.pp = 2}), plain_machine(1, 2)).step_seconds, alone / 2);
}

TEST(PerformanceModel, RanksShareTheWorkWhereMessagesCostNothing) {
    const double alone = predict_layout(small_spec(), plain_machine(1, 1)).step_seconds;

    EXPECT_NEAR(predict_layout(small_spec({.dp = 4}), plain_machine(1, 4)).step_seconds, alone / 4, 1e-6 * alone);
    EXPECT_NEAR(predict_layout(small_spec({.tp = 2}), plain_machine(1, 2)).step_seconds, alone / 2, 0.01 * alone);
}

TEST(PerformanceModel, APipelinesBubbleIsTheFormulasWhereStagesAreAlike) {
    RunSpec spec = small_spec({.pp = 2});
    spec.model.vocab = 2;  // next to no head

    const LayoutPrediction prediction = predict_layout(spec, plain_machine(1, 2));

    EXPECT_NEAR(prediction.bubble, formula_bubble(PipelineSchedule::one_f_one_b, 2, 8), 0.01);
}

TEST(PerformanceModel, GradientSumsTakeWhatTheirRingTakes) {
    Machine machine = plain_machine(4, 1);
    machine.inter = {.latency = 0.5, .bandwidth = 1e6};

    const LayoutPrediction prediction = predict_layout(small_spec({.dp = 4}), machine);

    const auto bytes = 4.0 * static_cast<double>(estimate(small_spec()).parameters.total);
    const double sent = 2.0 * 3 / 4 * bytes;
    EXPECT_NEAR(prediction.data_seconds, 6 * 0.5 + sent / 1e6, 0.02 * sent / 1e6);
    EXPECT_NEAR(prediction.bytes_per_rank, sent, 0.02 * sent);
    machine.overlap = 0.5;
    EXPECT_NEAR(predict_layout(small_spec({.dp = 4}), machine).data_seconds, prediction.data_seconds / 2, 1e-9);
}

TEST(PerformanceModel, AGroupUsesTheLinksOfAllItsMembersOnANode) {
    Machine machine = plain_machine(2, 2);
    machine.inter = {.latency = 0, .bandwidth = 1e6};

    const double both = predict_layout(small_spec({.dp = 4}), machine).data_seconds;
    machine.nodes = 4;
    machine.ranks_per_node = 1;
    const double one = predict_layout(small_spec({.dp = 4}), machine).data_seconds;

    EXPECT_NEAR(one, 2 * both, 1e-9 * one);
}

TEST(PerformanceModel, ShardedMomentsSaveMemory) {
    const double whole = predict_layout(small_spec({.dp = 4}), plain_machine(1, 4)).memory_bytes;
    const double sharded = predict_layout(small_spec({.dp = 4, .zero = 1}), plain_machine(1, 4)).memory_bytes;

    const auto moments = 8.0 * static_cast<double>(estimate(small_spec()).parameters.total);
    EXPECT_NEAR(whole - sharded, 0.75 * moments, 0.05 * moments);
}

TEST(SmallestLayout, HasTheFewestRanksThatFit) {
    const Machine machine = plain_machine(1, 8);
    const double alone = predict_layout(small_spec(), machine).memory_bytes;

    EXPECT_EQ(smallest_layout(small_spec(), machine, 1.01 * alone, 8).ranks(), 1);
    const LayoutSpec two = smallest_layout(small_spec(), machine, 0.99 * alone, 8);
    EXPECT_EQ(two.ranks(), 2);
    RunSpec spec = small_spec(two);
    EXPECT_LE(predict_layout(spec, machine).memory_bytes, 0.99 * alone);
    try {
        smallest_layout(small_spec(), machine, 1'000, 8);
        FAIL() << "a kilobyte a rank is not enough";
    } catch (const InputError& error) {
        EXPECT_THAT(error.what(), ::testing::HasSubstr("a run of width 64 and 8 layers needs at least"));
    }
}

TEST(PossibleLayouts, AreThoseTheModelAllows) {
    RunSpec spec = small_spec();
    spec.model.layers = 1;

    for (const LayoutSpec& layout : possible_layouts(spec, 8)) {
        EXPECT_EQ(layout.pp, 1) << "one layer has one stage";
        EXPECT_LE(layout.tp, 4) << "four heads";
    }
    EXPECT_EQ(possible_layouts(spec, 1).size(), 1u);
}

TEST(Machine, TellsEveryProblemOfItsFile) {
    try {
        parse_machine("[cluster]\nnodes = 0\nflop = 1e12\nmemory = \"8 apples\"\n", "c.toml");
        FAIL() << "must be refused";
    } catch (const InputError& error) {
        const std::string text = error.what();
        EXPECT_THAT(text, ::testing::HasSubstr("c.toml:2:"));
        EXPECT_THAT(text, ::testing::HasSubstr("cluster.nodes: is 0 but must be an integer, at least 1"));
        EXPECT_THAT(text, ::testing::HasSubstr("did you mean 'cluster.flops'"));
        EXPECT_THAT(text, ::testing::HasSubstr("cluster.memory: is \"8 apples\" but must be a number of bytes"));
        EXPECT_THAT(text, ::testing::HasSubstr("cluster.inter.latency: is missing"));
    }
}

TEST(Machine, ReadsNumbersOfBytes) {
    EXPECT_EQ(bytes_in({std::string{"2 GiB"}}), 0x1p31);
    EXPECT_EQ(bytes_in({std::string{"1.5MB"}}), 1.5e6);
    EXPECT_EQ(bytes_in({std::int64_t{1024}}), 1024);
    EXPECT_EQ(bytes_in({std::string{"two GiB"}}), std::nullopt);
    EXPECT_EQ(bytes_in({std::string{"2 gib"}}), std::nullopt);
    EXPECT_EQ(bytes_in({-1.0}), std::nullopt);
}

}  // namespace
}  // namespace loglog
