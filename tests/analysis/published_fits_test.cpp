#include <gmock/gmock.h>

#include "analysis/fit/parallel.hpp"
#include "analysis/inference/study.hpp"
#include "tests/analysis/laws_folder.hpp"

// Published scaling-law data and their published fits, kept outside the repository: $LOGLOG_LAWS, or
// ../shared/data/laws beside the sources. Values and tolerances as in expected.json there.

namespace loglog {
namespace {

class PublishedFits : public ::testing::Test {
  protected:
    void SetUp() override {
        if (!testing::laws_folder()) {
            GTEST_SKIP() << "no published data: set LOGLOG_LAWS to the folder that holds them";
        }
    }

    static Inference fit(const std::string& file, const std::string& law, const std::string& objective,
                         const std::string& where = {}, int resamples = 0) {
        const Dataset all = read_csv(*testing::laws_folder() / file);
        Question question;
        question.law = law;
        question.inference.objective = parse_objective(objective, 1e-3);
        question.inference.bootstrap = {resamples, Seed{1}, default_threads()};
        question.inference.budgets = {5.76e23};
        return answer(where.empty() ? all : filter(all, where), question);
    }
    static double value(const Inference& inference, const char* name) { return inference.estimate(name).value; }
};

TEST_F(PublishedFits, HuberFitOf240ChinchillaPoints) {
    const Inference inference = fit("chinchilla_epoch245.csv", "chinchilla", "huber-log", "excluded = 0");

    EXPECT_EQ(inference.points.size(), 240u);
    EXPECT_LE(inference.optimum.best.value, 1.0182741e-3);
    EXPECT_NEAR(value(inference, "E"), 1.817218, 1e-4);
    EXPECT_NEAR(value(inference, "A") / 477.8259, 1, 0.003);
    EXPECT_NEAR(value(inference, "B") / 2143.417, 1, 0.005);
    EXPECT_NEAR(value(inference, "alpha"), 0.3473105, 1e-4);
    EXPECT_NEAR(value(inference, "beta"), 0.3671724, 1e-4);
    EXPECT_NEAR(value(inference, "a"), 0.5138995, 1e-4);
    EXPECT_LT(inference.optimum.best.gradient_norm, 1e-8);
}

TEST_F(PublishedFits, AbsoluteFitGivesTheNumbersInPrint) {
    const Inference inference = fit("chinchilla_epoch245.csv", "chinchilla", "l1-log", "excluded = 0");

    EXPECT_LE(inference.optimum.best.value, 1.129494653);
    EXPECT_NEAR(value(inference, "E"), 1.81686, 1e-4);
    EXPECT_NEAR(value(inference, "A") / 482.006, 1, 0.001);
    EXPECT_NEAR(value(inference, "B") / 2085.434, 1, 0.001);
    EXPECT_NEAR(value(inference, "alpha"), 0.347813, 1e-4);
    EXPECT_NEAR(value(inference, "beta"), 0.365854, 1e-4);
}

TEST_F(PublishedFits, OtherObjectivesAndAllPoints) {
    const Inference squares = fit("chinchilla_epoch245.csv", "chinchilla", "ls-log", "excluded = 0");
    EXPECT_NEAR(squares.optimum.best.value, 0.0057309435, 1e-9);
    EXPECT_NEAR(value(squares, "a"), 0.52978, 1e-4);

    const Inference linear = fit("chinchilla_epoch245.csv", "chinchilla", "ls-linear", "excluded = 0");
    EXPECT_NEAR(linear.optimum.best.value, 0.0416019038, 1e-9);
    EXPECT_NEAR(value(linear, "a"), 0.544576, 1e-4);

    const Inference all = fit("chinchilla_epoch245.csv", "chinchilla", "huber-log");
    EXPECT_LE(all.optimum.best.value, 0.0018260106);
    EXPECT_NEAR(value(all, "a"), 0.564644, 1e-4);
}

TEST_F(PublishedFits, BootstrapMeetsThePublishedStandardErrors) {
    const Inference inference = fit("chinchilla_epoch245.csv", "chinchilla", "huber-log", "excluded = 0", 2000);

    const std::pair<const char*, double> published[] = {{"A", 124.49},     {"B", 1293.2},     {"E", 0.025657},
                                                        {"alpha", 0.0154}, {"beta", 0.02059}, {"a", 0.019973}};
    for (const auto& [name, se] : published) { EXPECT_NEAR(inference.estimate(name).se / se, 1, 0.08) << name; }
    const auto& a = inference.estimate("a");
    EXPECT_NEAR(a.low, 0.48047, 0.15 * 0.02);
    EXPECT_NEAR(a.high, 0.55611, 0.15 * 0.02);
    const auto& n = inference.predictions[0][1].estimate;
    EXPECT_NEAR(n.value / 7.319e10, 1, 1e-3);
    EXPECT_NEAR(n.low / 5.173e10, 1, 0.05);
    EXPECT_NEAR(n.high / 1.124e11, 1, 0.05);
}

TEST_F(PublishedFits, OtherReadingsOfTheSameFigure) {
    const Inference kyo = fit("chinchilla_kyo234.csv", "chinchilla", "huber-log");
    EXPECT_LE(kyo.optimum.best.value, 0.00084009313);
    EXPECT_NEAR(value(kyo, "a"), 0.499544, 1e-4);

    const Inference scalefit = fit("chinchilla_scalefit124.csv", "chinchilla", "huber-linear");
    EXPECT_LE(scalefit.optimum.best.value / 124, 13.0888e-6);  // published by vpnls: 13.1e-6
}

TEST_F(PublishedFits, RecoversTheTruthOfNoiselessData) {
    const Inference inference = fit("synth_clean.csv", "chinchilla", "huber-log");

    const std::pair<const char*, double> truth[] = {{"E", 1.69},     {"A", 406.4},   {"B", 410.7},
                                                    {"alpha", 0.34}, {"beta", 0.28}, {"a", 0.4516129}};
    for (const auto& [name, expected] : truth) { EXPECT_NEAR(value(inference, name) / expected, 1, 1e-5) << name; }
}

TEST_F(PublishedFits, NoisySeedsMatchTheReference) {
    const Inference inference = fit("synth_seeds.csv", "chinchilla", "huber-log");

    EXPECT_LE(inference.optimum.best.value, 0.000644725);
    EXPECT_NEAR(value(inference, "alpha"), 0.350594, 1e-4);
    EXPECT_NEAR(value(inference, "beta"), 0.365104, 1e-4);
}

}  // namespace
}  // namespace loglog
