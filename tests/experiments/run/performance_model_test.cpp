#include "experiments/run/performance_model.hpp"

#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <cstdio>

#include "engine/base/error.hpp"

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

}  // namespace
}  // namespace loglog
