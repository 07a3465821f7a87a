#include "analysis/tuning/tuning_study.hpp"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

/// Runs whose loss is a parabola in ln lr and ln batch around lr* = 3 N^-0.7 D^0.3, batch* = 0.001 D^0.5.
Dataset searches(int lr_steps, int batch_steps, double lr_factor = 1) {
    Dataset data;
    data.source = "searches";
    data.columns = {"N", "D", "lr", "batch", "loss"};
    for (const double n : {1e8, 3e8, 1e9}) {
        for (const double d : {1e9, 4e9, 2e10}) {
            const double best_lr = 3 * std::pow(n, -0.7) * std::pow(d, 0.3);
            const double best_batch = 0.001 * std::sqrt(d);
            for (int i = -lr_steps; i <= lr_steps; ++i) {
                for (int j = -batch_steps; j <= batch_steps; ++j) {
                    const double u = 0.2 * i + std::log(lr_factor);
                    const double v = 0.3 * j;
                    const double loss = 3 + 0.02 * u * u + 0.01 * v * v - 0.008 * u * v;
                    const auto text = [](double value) { return std::to_string(value); };
                    data.rows.push_back({text(n), text(d), nlohmann::json(best_lr * std::exp(u)).dump(),
                                         nlohmann::json(best_batch * std::exp(v)).dump(), nlohmann::json(loss).dump()});
                    data.row_names.push_back("row");
                }
            }
        }
    }
    return data;
}

TuningQuestion by_least_squares() {
    TuningQuestion question;
    question.inference.objective = parse_objective("ls-log", 1e-3);
    question.inference.bootstrap.resamples = 0;
    return question;
}

TEST(Tuning, RecoversTheLawsBehindExactParabolas) {
    TuningQuestion question = by_least_squares();
    question.inference.budgets = {1.2e19};

    const TuningStudy study = study_tuning(searches(3, 2), question);

    // The tables hold 17 digits; a parabola's minimum is found to the root of rounding over curvature, 1e-16/0.02.
    EXPECT_NEAR(study.lr.estimate("c").value, 3, 1e-5);
    EXPECT_NEAR(study.lr.estimate("a").value, -0.7, 1e-7);
    EXPECT_NEAR(study.lr.estimate("b").value, 0.3, 1e-7);
    ASSERT_TRUE(study.batch);
    EXPECT_NEAR(study.batch->estimate("a").value, 0.5, 1e-7);
    EXPECT_TRUE(study.warnings.empty());
    // 1.2e19 FLOPs at 20 tokens per parameter are N = sqrt(1e17), D = 20 N.
    const double n = std::sqrt(1e17);
    EXPECT_NEAR(study.lr.predictions[0][3].estimate.value / (3 * std::pow(n, -0.7) * std::pow(20 * n, 0.3)), 1, 1e-5);
    EXPECT_NEAR(study.batch->predictions[0][1].estimate.value / (0.001 * std::sqrt(20 * n)), 1, 1e-5);
}

TEST(Tuning, CellsWithOneBatchSizeGiveALearningRateAlone) {
    const TuningStudy study = study_tuning(searches(3, 0), by_least_squares());

    EXPECT_NEAR(study.lr.estimate("b").value, 0.3, 1e-7);
    EXPECT_FALSE(study.batch);
    EXPECT_TRUE(nlohmann::json::parse(to_json(study))["batch"].is_null());
}

TEST(Tuning, AnOptimumOutsideTheGridIsToldAndNotUsed) {
    Dataset data = searches(2, 0);
    const Dataset shifted = searches(2, 0, 3.0);  // rates of 2 to 4.5 times the best: all too large
    for (std::size_t i = 0; i < 5; ++i) { data.rows[i] = shifted.rows[i]; }
    TuningQuestion question = by_least_squares();
    question.cells.window = 0.1;

    const TuningStudy study = study_tuning(data, question);

    EXPECT_EQ(study.lr.points.size(), 8u);
    EXPECT_NEAR(study.lr.estimate("a").value, -0.7, 1e-7);
    ASSERT_EQ(study.warnings.size(), 1u);
    EXPECT_EQ(study.warnings[0].code, "cells_left_out");
    EXPECT_THAT(study.warnings[0].text, ::testing::HasSubstr("1 of 9 cells"));
    EXPECT_THAT(study.warnings[0].text, ::testing::HasSubstr("lies outside the values tried"));
    EXPECT_THAT(to_text(study), ::testing::HasSubstr("widen the grid"));
}

TEST(Tuning, ABestRunAtTheGridsEdgeIsToldAndUsed) {
    Dataset data = searches(3, 0);
    const Dataset shifted = searches(3, 0, std::exp(-0.56));  // the best of the cell is the second last but for 0.04
    for (std::size_t i = 0; i < 7; ++i) { data.rows[i] = shifted.rows[i]; }

    const TuningStudy study = study_tuning(data, by_least_squares());

    EXPECT_TRUE(study.cells[0].best_at_edge);
    EXPECT_TRUE(study.cells[0].lr.has_value());
    ASSERT_EQ(study.warnings.size(), 1u);
    EXPECT_EQ(study.warnings[0].code, "optimum_at_edge");
}

TEST(Tuning, TooFewOptimaAreRefusedWithTheReason) {
    try {
        study_tuning(searches(1, 0), by_least_squares());  // three rates: a parabola without a run to spare
        FAIL() << "accepted";
    } catch (const InputError& error) {
        EXPECT_THAT(error.what(), ::testing::HasSubstr("0 of 9 (N, D) cells have an optimum"));
        EXPECT_THAT(error.what(), ::testing::HasSubstr("3 runs within 1% of the lowest loss; at least 5 are wanted"));
    }
}

}  // namespace
}  // namespace loglog
