#include <gmock/gmock.h>

#include "analysis/fit/parallel.hpp"
#include "analysis/inference/study.hpp"
#include "tests/analysis/laws_folder.hpp"

// The extrapolation benchmark of Alabdulmohsin et al. 2022, arXiv:2209.06640, on translation: the loss after the most
// examples is predicted from the losses after fewer. Kept outside the repository: $LOGLOG_LAWS, or ../shared/data/laws
// beside the sources. Their M2 is the same law with a floor, fitted to all points from a local optimum.

namespace loglog {
namespace {

struct Task {
    const char* model;
    double m2;        // published root mean square logarithmic error
    double expected;  // that of a separate program by the same rule, least squares
};

constexpr Task tasks[] = {{"6Enc-6Dec", 0.038448, 0.0023},
                          {"28Enc-6Dec", 0.056383, 0.0176},
                          {"6Enc-28Dec", 0.052738, 0.0302},
                          {"Dec-only", 0.010335, 0.0002},
                          {"TEnc-LSTM", 0.012571, 0.0017}};

class PublishedOnset : public ::testing::TestWithParam<Task> {
  protected:
    void SetUp() override {
        if (!testing::laws_folder()) {
            GTEST_SKIP() << "no published data: set LOGLOG_LAWS to the folder that holds them";
        }
    }
    static Dataset rows(const char* train) {
        return filter(
            read_csv(*testing::laws_folder() / "nsl_nmt_lm.csv"),
            std::string{"task = 'log_perplexity' AND model = '"} + GetParam().model + "' AND train = " + train);
    }
    static Question question(const char* objective, const char* onset) {
        Question question;
        question.law = "saturating";
        question.x = "x";
        question.loss = "y";
        question.onset = parse_onset(onset);
        question.inference.objective = parse_objective(objective, 1e-3);
        question.inference.bootstrap = {0, Seed{1}, default_threads()};
        return question;
    }
    /// Root mean square error of ln loss at the rows that are to be predicted.
    static double error_of(const Inference& inference) {
        const Dataset held = rows("0");
        const auto numbers = positive_columns(held, {find_column(held, "x", {}), find_column(held, "y", {})});
        double sum = 0;
        for (std::size_t i = 0; i < numbers[0].size(); ++i) {
            const double x[] = {numbers[0][i]};
            sum += std::pow(std::log(predict_at(*inference.law, inference.natural, x) / numbers[1][i]), 2);
        }
        return std::sqrt(sum / static_cast<double>(numbers[0].size()));
    }
};

TEST_P(PublishedOnset, SaturatingLawFromItsOnsetPredictsNoWorseThanThePublishedM2) {
    for (const char* objective : {"ls-log", "huber-log"}) {
        const Inference inference = answer(rows("1"), question(objective, "auto"));

        EXPECT_LE(error_of(inference), GetParam().m2) << objective;
    }
}

TEST_P(PublishedOnset, PredictsAsASeparateProgramDoes) {
    const Inference inference = answer(rows("1"), question("ls-log", "auto"));

    EXPECT_GT(inference.onset->left_out, 0u);
    EXPECT_NEAR(error_of(inference), GetParam().expected, 6e-5);  // it prints four digits
}

TEST_P(PublishedOnset, WithoutOneTheSameLawPredictsWorseThanM2) {
    const Inference inference = answer(rows("1"), question("ls-log", ""));

    EXPECT_GT(error_of(inference), GetParam().m2);
}

INSTANTIATE_TEST_SUITE_P(Translation, PublishedOnset, ::testing::ValuesIn(tasks), [](const auto& one) {
    std::string name = one.param.model;
    std::erase(name, '-');
    return name;
});

}  // namespace
}  // namespace loglog
