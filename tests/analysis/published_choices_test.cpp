#include <gmock/gmock.h>

#include "analysis/fit/parallel.hpp"
#include "analysis/inference/study.hpp"
#include "tests/analysis/laws_folder.hpp"

// What choices, counts and repeated seeds change of published fits. Values as in expected.json beside the data.

namespace loglog {
namespace {

class PublishedChoices : public ::testing::Test {
  protected:
    void SetUp() override {
        if (!testing::laws_folder()) {
            GTEST_SKIP() << "no published data: set LOGLOG_LAWS to the folder that holds them";
        }
    }
    static Question question() {
        Question question;
        question.law = "chinchilla";
        question.inference.objective = parse_objective("huber-log", 1e-3);
        question.inference.bootstrap = {0, Seed{1}, default_threads()};
        return question;
    }
    static const Refit& choice(const Inference& inference, const std::string& name) {
        for (const Refit& fit : inference.examination.sensitivity->refits) {
            if (fit.choice == name) { return fit; }
        }
        throw std::runtime_error{"no choice " + name};
    }
};

TEST_F(PublishedChoices, MoveChinchillasExponentBetweenTheMeasuredValues) {
    const Dataset all = read_csv(*testing::laws_folder() / "chinchilla_epoch245.csv");
    Question asked = question();
    asked.inference.bootstrap.resamples = 200;
    asked.examine.sensitivity = true;
    asked.examine.all_rows = all;

    const Inference inference = answer(filter(all, "excluded = 0"), asked);

    EXPECT_NEAR(inference.estimate("a").value, 0.5138995, 1e-4);
    EXPECT_NEAR(value_of(choice(inference, "all 245 rows, without --where"), "a"), 0.564644, 1e-4);
    EXPECT_NEAR(choice(inference, "all 245 rows, without --where").value, 0.0018260105, 1e-9);
    const Refit& loose = choice(inference, "huber-log, delta 0.01");
    EXPECT_NEAR(value_of(loose, "E"), 1.838079, 1e-4);
    EXPECT_NEAR(value_of(loose, "A") / 538.752, 1, 0.003);
    EXPECT_NEAR(value_of(loose, "B") / 2905.6, 1, 0.005);
    EXPECT_NEAR(value_of(loose, "alpha"), 0.354416, 1e-4);
    EXPECT_NEAR(value_of(loose, "beta"), 0.381537, 1e-4);
    EXPECT_NEAR(loose.value, 0.00469622488, 1e-8);
    EXPECT_NEAR(value_of(choice(inference, "ls-log"), "a"), 0.52978, 1e-4);
    EXPECT_NEAR(choice(inference, "ls-log").value, 0.0057309435, 1e-9);
    EXPECT_NEAR(value_of(choice(inference, "ls-linear"), "a"), 0.544576, 1e-4);
    EXPECT_NEAR(choice(inference, "ls-linear").value, 0.0416019038, 1e-9);
    EXPECT_NEAR(value_of(choice(inference, "l1-log"), "E"), 1.81686, 1e-4);

    for (const ChoiceRange& range : inference.examination.sensitivity->ranges) {
        if (range.name != "a") { continue; }
        EXPECT_LE(range.low, 0.5139);
        EXPECT_GE(range.high, 0.5646);
    }
    bool is_warned = false;
    for (const Warning& warning : inference.warnings) { is_warned |= warning.code == "choice_matters"; }
    EXPECT_TRUE(is_warned);
}

TEST_F(PublishedChoices, TheFiveDroppedPointsAreAmongTheOutliers) {
    const Inference inference = answer(read_csv(*testing::laws_folder() / "chinchilla_epoch245.csv"), question());

    std::vector<std::string> ids;
    for (const Outlier& outlier : inference.outliers) { ids.push_back(outlier.id); }
    for (const char* id : {"line 5", "line 6", "line 7", "line 8", "line 9"}) {
        EXPECT_THAT(ids, ::testing::Contains(id));
    }
    EXPECT_LT(ids.size(), 25u) << "a tenth of the points";
}

TEST_F(PublishedChoices, RepeatedSeedsHaveThePublishedSpread) {
    const Dataset all = read_csv(*testing::laws_folder() / "datablations_seeds.csv");
    const auto spread = [&](const std::string& cell) {
        Question asked = question();
        asked.law = "data-constrained";
        const Dataset seeds = filter(all, "seed > 0 and " + cell);
        const Prepared prepared = prepare(seeds, asked, find_law("data-constrained"));
        Values coordinates{};
        return seed_noise(find_law("data-constrained"), prepared.points, coordinates)->sd_nats;
    };

    EXPECT_NEAR(spread("N = 2810000000 and D = 55000000000"), 0.0014345, 1e-6);
    EXPECT_NEAR(spread("N > 4.2e9 and N < 4.3e9 and D = 84000000000"), 0.0149321, 1e-6);
}

}  // namespace
}  // namespace loglog
