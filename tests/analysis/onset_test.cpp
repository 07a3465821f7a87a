#include "analysis/inference/onset.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "analysis/inference/study.hpp"
#include "engine/base/error.hpp"
#include "tests/analysis/synthetic_runs.hpp"

namespace loglog {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;

const Objective huber = parse_objective("huber-log", 1e-3);

/// L = 0.3 + (1e9/X)^0.4 at X = 1e6, 2e6, 4e6, ...; the `early` smallest are higher by 10% of the loss, 20%, 30% ...
struct Series {
    std::vector<double> x;
    std::vector<double> loss;

    explicit Series(std::size_t count, std::size_t early = 0, double noise = 0, Seed seed = Seed{5}) {
        const Random random{seed, Stream::synthetic_data};
        for (std::size_t i = 0; i < count; ++i) {
            x.push_back(1e6 * std::pow(2.0, static_cast<double>(i)));
            const double off = i < early ? 0.1 * static_cast<double>(early - i) : 0;
            loss.push_back((0.3 + std::pow(1e9 / x.back(), 0.4)) * (1 + off) * std::exp(noise * random.normal(i)));
        }
    }
    Points points() const {
        const std::span<const double> columns[] = {x};
        return make_points(columns, loss);
    }
    Dataset table() const {
        std::string text = "N,loss\n";
        for (std::size_t i = 0; i < x.size(); ++i) { text += fmt::format("{:.17g},{:.17g}\n", x[i], loss[i]); }
        std::istringstream in{text};
        return read_csv(in, "series.csv");
    }
};

Onset chosen(const Series& series, const char* law = "saturating") {
    return choose_onset(find_law(law), series.points(), huber, "N", 2);
}

TEST(Onset, APurePowerLawIsFittedFromItsFirstPoint) {
    for (const char* law : {"power", "saturating"}) {
        const Onset onset = choose_onset(find_law(law), saturating_points(0, 1e12, 0.08, 10), huber, "N", 2);

        EXPECT_EQ(onset.left_out, 0u) << law;
        for (const OnsetCandidate& one : onset.candidates) { EXPECT_LT(one.score, 1e-18) << law; }
    }
}

TEST(Onset, PointsOffTheCurveAreLeftOut) {
    for (const std::size_t early : {1u, 2u, 3u}) {
        const Onset onset = chosen(Series{10, early});

        EXPECT_EQ(onset.left_out, early);
        EXPECT_NEAR(onset.from / (1e6 * std::pow(2.0, static_cast<double>(early))), 1, 1e-12);
    }
}

TEST(Onset, OfNoisyPointsThoseFarOffTheCurveAreLeftOutToo) {
    int all_left_out = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        all_left_out += chosen(Series{11, 3, 1e-3, Seed{seed}}).left_out >= 3 ? 1 : 0;
    }

    EXPECT_GE(all_left_out, 19);
}

TEST(Onset, TheShortestFitKeepsOnePointMoreThanParameters) {
    const Onset saturating = chosen(Series{10});
    const Onset power = chosen(Series{10}, "power");

    EXPECT_EQ(saturating.candidates.size(), 5u);  // 10 - 2 forecast - (3 + 1) = 4 can be left out
    EXPECT_EQ(power.candidates.size(), 6u);
    EXPECT_EQ(saturating.candidates[4].left_out, 4u);
    EXPECT_NEAR(saturating.candidates[4].from, 16e6, 1);
}

TEST(Onset, RepeatedSeedsAreOneValue) {
    const Series once{8, 2};
    Series twice = once;
    twice.x.insert(twice.x.end(), once.x.begin(), once.x.end());
    twice.loss.insert(twice.loss.end(), once.loss.begin(), once.loss.end());

    const Onset onset = chosen(twice);

    EXPECT_EQ(onset.candidates.size(), chosen(once).candidates.size());
    EXPECT_EQ(onset.left_out, 2u);
}

TEST(Onset, TooFewPointsAreRefusedWithWhatIsWanted) {
    try {
        chosen(Series{6});
        FAIL() << "no error";
    } catch (const InputError& error) {
        EXPECT_THAT(error.what(), AllOf(HasSubstr("at least 7 distinct values of N"), HasSubstr("found 6")));
    }
    EXPECT_EQ(chosen(Series{7}).candidates.size(), 2u);
}

TEST(Onset, IsAutoOrAPositiveNumber) {
    EXPECT_EQ(parse_onset("").kind, OnsetRule::Kind::none);
    EXPECT_EQ(parse_onset("auto").kind, OnsetRule::Kind::automatic);
    EXPECT_EQ(parse_onset("4e6").from, 4e6);
    for (const char* bad : {"early", "0", "-1", "nan", "inf", "4e6 tokens"}) {
        EXPECT_THROW(parse_onset(bad), InputError) << bad;
    }
}

Question question(const char* onset, const char* law = "saturating") {
    Question question;
    question.law = law;
    question.onset = parse_onset(onset);
    question.inference.bootstrap = {0, Seed{2}, 2};
    question.examine.conventions = true;
    return question;
}

TEST(AnswerFromOnset, FitsTheLaterPointsAndListsTheEarlierOnes) {
    const Inference inference = answer(Series{10, 3}.table(), question("auto"));

    EXPECT_NEAR(inference.estimate("E").value, 0.3, 1e-6);
    EXPECT_NEAR(inference.estimate("alpha").value, 0.4, 1e-6);
    EXPECT_EQ(inference.points.size(), 7u);
    ASSERT_EQ(inference.excluded.size(), 3u);
    EXPECT_EQ(inference.excluded[0].id, "line 2");
    EXPECT_EQ(inference.excluded[0].reason, "N is below the onset, 8e+06");
    EXPECT_THAT(inference.warnings, Contains(Field(&Warning::code, "onset_chosen")));
    for (const ConventionFit& one : inference.examination.conventions) { EXPECT_EQ(one.fit.n_points, 7u); }
}

TEST(AnswerFromOnset, TellsTheOnsetAndWhatWasTriedInTextAndJson) {
    const Inference inference = answer(Series{10, 3}.table(), question("auto"));

    const auto json = nlohmann::json::parse(to_json(inference)).at("onset");
    EXPECT_EQ(json.at("chosen"), true);
    EXPECT_EQ(json.at("left_out"), 3);
    EXPECT_NEAR(json.at("from").get<double>(), 8e6, 1);
    ASSERT_EQ(json.at("candidates").size(), 5u);
    EXPECT_GT(json.at("candidates").at(0).at("score"), json.at("candidates").at(3).at("score"));
    EXPECT_THAT(to_text(inference), HasSubstr("onset: N = 8e+06, 3 smaller values left out"));
    EXPECT_THAT(to_text(inference), HasSubstr("chosen\n"));
}

TEST(AnswerFromOnset, SensitivityRefitsFromTheOthers) {
    Question asked = question("auto");
    asked.examine.sensitivity = true;

    const Inference inference = answer(Series{10, 3}.table(), asked);

    std::vector<std::string> onsets;
    for (const Refit& fit : inference.examination.sensitivity->refits) {
        if (fit.choice.starts_with("onset")) { onsets.push_back(fit.choice); }
    }
    EXPECT_THAT(onsets,
                ::testing::ElementsAre("onset N = 1e+06", "onset N = 2e+06", "onset N = 4e+06", "onset N = 1.6e+07"));
    for (const ChoiceRange& range : inference.examination.sensitivity->ranges) {
        if (range.name == "alpha") { EXPECT_GT(range.high - range.low, 0.01); }
    }
}

TEST(AnswerFromOnset, AGivenOneIsTakenWithoutAChoice) {
    const Inference inference = answer(Series{10, 3}.table(), question("4e6"));

    EXPECT_EQ(inference.points.size(), 8u);
    EXPECT_EQ(inference.excluded.size(), 2u);
    EXPECT_TRUE(inference.onset->candidates.empty());
    EXPECT_THAT(inference.warnings, Not(Contains(Field(&Warning::code, "onset_chosen"))));
    EXPECT_EQ(answer(Series{10}.table(), question("1")).points.size(), 10u);
    EXPECT_THROW(answer(Series{10}.table(), question("1e12")), InputError);
}

TEST(AnswerFromOnset, WhatIsHeldOutHasNoPartInTheChoice) {
    Series series{11, 3, 1e-3};
    Question asked = question("auto");
    asked.hold_out = 1;

    const Inference before = answer(series.table(), asked);
    series.loss.back() *= 1.2;
    const Inference after = answer(series.table(), asked);

    const Onset& first = before.hold_out->onset.value();
    const Onset& second = after.hold_out->onset.value();
    EXPECT_EQ(first.from, second.from);
    ASSERT_EQ(first.candidates.size(), second.candidates.size());
    for (std::size_t i = 0; i < first.candidates.size(); ++i) {
        EXPECT_EQ(first.candidates[i].score, second.candidates[i].score);
    }
    EXPECT_EQ(first.candidates.size() + 1, before.onset->candidates.size());
    EXPECT_LT(before.hold_out->rms_relative_error, 0.01);
    EXPECT_NEAR(after.hold_out->rms_relative_error, std::log(1.2), 0.01);
    EXPECT_NE(before.onset->candidates[0].score, after.onset->candidates[0].score);
}

TEST(AnswerFromOnset, IsForLossesOfOneVariable) {
    std::istringstream in{"N,D,loss\n1e6,1e8,4\n2e6,2e8,3.5\n"};
    const Dataset grid = read_csv(in, "grid.csv");

    EXPECT_THROW(answer(grid, question("auto", "chinchilla")), InputError);
    EXPECT_THROW(answer(grid, question("1e6", "lr")), InputError);
}

}  // namespace
}  // namespace loglog
