#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "analysis/inference/checks_input.hpp"
#include "analysis/inference/study.hpp"
#include "engine/base/error.hpp"
#include "tests/analysis/synthetic_runs.hpp"

// Data sets whose truth is known and whose naive fit misleads.

namespace loglog {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

std::vector<std::string> codes(const Inference& inference) {
    std::vector<std::string> result;
    for (const auto& warning : inference.warnings) { result.push_back(warning.code); }
    return result;
}

InferenceOptions with_resamples(int resamples) {
    InferenceOptions options;
    options.bootstrap = {resamples, Seed{2}, 2};
    return options;
}

std::string refusal(const Points& points, const char* law = "chinchilla") {
    try {
        infer(find_law(law), points, with_resamples(0));
    } catch (const InputError& error) { return error.what(); }
    return {};
}

/// Runs whose D/N is 20 but for a factor exp(spread * normal).
Points near_a_ray(double spread, double noise) {
    const Random random{Seed{8}, Stream::synthetic_data};
    std::vector<double> n, d, loss;
    for (std::uint64_t i = 0; i < 24; ++i) {
        n.push_back(1e6 * std::pow(1.5, static_cast<double>(i)));
        d.push_back(20 * n.back() * std::exp(spread * random.normal(2 * i)));
        loss.push_back((1.7 + 400 * std::pow(n.back(), -0.34) + 600 * std::pow(d.back(), -0.3)) *
                       std::exp(noise * random.normal(2 * i + 1)));
    }
    const std::span<const double> columns[] = {n, d};
    return make_points(columns, loss);
}

TEST(Traps, RunsOnOneRayAreRefusedForEveryLawOfNAndD) {
    for (const char* law : {"chinchilla", "kaplan"}) {
        const std::string message = refusal(near_a_ray(0, 0.001), law);
        EXPECT_THAT(message, HasSubstr("one ray of tokens per parameter (D/N from 20 to 20)")) << law;
        EXPECT_THAT(message, HasSubstr("vary D at fixed N")) << law;
    }
    EXPECT_THAT(refusal(near_a_ray(0, 0.001)), HasSubstr("A, B, alpha, beta are not identified"));
    EXPECT_THAT(refusal(near_a_ray(0, 0)), HasSubstr("not identified")) << "noise-free";
}

TEST(Traps, RunsNearARayAreRefusedOnlyIfTheirDistanceFromItDoesNotShow) {
    EXPECT_THAT(refusal(near_a_ray(0.01, 0.01)), HasSubstr("not identified"));

    // The same distances, seen through a thousand times less noise.
    const Inference seen = infer(find_law("chinchilla"), near_a_ray(0.01, 1e-5), with_resamples(0));
    EXPECT_THAT(codes(seen), Contains("collinear_design"));
}

TEST(Traps, OneRaySurvivesAsACurveOfOneVariable) {
    const Points ray = near_a_ray(0, 0.001);
    std::vector<double> n;
    for (std::size_t i = 0; i < ray.size(); ++i) { n.push_back(ray.x(i, 0)); }
    const std::span<const double> columns[] = {n};

    EXPECT_NO_THROW(infer(find_law("saturating"), make_points(columns, ray.loss), with_resamples(0)));
}

/// A tenth of the losses are 10 to 40% too high; their rows.
std::vector<std::string> spoil(SyntheticRuns& runs) {
    std::vector<std::string> rows;
    for (std::size_t i = 3; i < runs.loss.size(); i += 10) {
        runs.loss[i] *= 1.1 + 0.3 * static_cast<double>(i) / static_cast<double>(runs.loss.size());
        rows.push_back("row " + std::to_string(i));
    }
    return rows;
}

TEST(Traps, GrossOutliersAreNamedAndDoNotMoveTheFit) {
    SyntheticRuns runs;
    runs.fill(8, 8, 0.002, Seed{4});
    const Inference clean = infer(find_law("chinchilla"), runs.points(), with_resamples(200));
    const auto spoilt = spoil(runs);
    InferenceOptions options = with_resamples(0);
    for (std::size_t i = 0; i < runs.loss.size(); ++i) { options.ids.push_back("row " + std::to_string(i)); }

    const Inference inference = infer(find_law("chinchilla"), runs.points(), options);

    std::vector<std::string> named;
    for (const Outlier& outlier : inference.outliers) { named.push_back(outlier.id); }
    EXPECT_THAT(named, ::testing::UnorderedElementsAreArray(spoilt));
    EXPECT_THAT(codes(inference), Contains("outliers"));
    EXPECT_EQ(inference.points.size(), 64u) << "they stay in the fit";
    // Huber's influence of a tenth of the points is bounded: at most a few of the clean fit's standard errors.
    for (const char* name : {"alpha", "beta", "E"}) {
        const Estimate& e = clean.estimate(name);
        EXPECT_NEAR(inference.estimate(name).value, e.value, 3 * e.se) << name;
    }
    // A measured loss above the law has a residual predicted - measured below zero.
    for (const Outlier& outlier : inference.outliers) { EXPECT_LT(outlier.residual, 0); }
    const auto json = nlohmann::json::parse(to_json(inference));
    EXPECT_EQ(json.at("outliers").size(), spoilt.size());
    EXPECT_TRUE(json.at("outliers").at(0).at("z").is_number());
}

TEST(Traps, LeastSquaresIsToldThatAFewPointsRuleIt) {
    SyntheticRuns runs;
    runs.fill(8, 8, 0.002, Seed{4});
    spoil(runs);
    InferenceOptions options = with_resamples(0);
    options.objective = parse_objective("ls-log", 1e-3);

    EXPECT_THAT(codes(infer(find_law("chinchilla"), runs.points(), options)), Contains("heavy_tails"));
}

TEST(Traps, CleanRunsHaveNoOutliers) {
    int flagged = 0;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SyntheticRuns runs;
        runs.fill(6, 6, 0.003, Seed{seed});
        flagged += static_cast<int>(infer(find_law("chinchilla"), runs.points(), with_resamples(0)).outliers.size());
    }

    // One fit in a hundred is expected to flag a point: five of twenty would happen once in 70,000 times.
    EXPECT_LT(flagged, 5);
}

TEST(Traps, HeavyTailedNoiseThatShrinksWithSizeIsSeenAndWithstood) {
    SyntheticRuns runs;
    runs.fill(10, 10, 0, Seed{1});
    const Random random{Seed{12}, Stream::synthetic_data, 1};
    for (std::size_t i = 0; i < runs.loss.size(); ++i) {
        // Student's t with two degrees of freedom has no variance.
        const double u = random.uniform(i);
        const double t = (2 * u - 1) / std::sqrt(2 * u * (1 - u));
        runs.loss[i] *= std::exp(0.004 * t * std::pow(runs.n[i] / 1e6, -0.25));
    }

    const Inference inference = infer(find_law("chinchilla"), runs.points(), with_resamples(300));

    EXPECT_THAT(codes(inference), Contains("uneven_noise"));
    for (const auto& [name, truth] : {std::pair{"alpha", 0.34}, std::pair{"beta", 0.3}, std::pair{"E", 1.7}}) {
        const Estimate& e = inference.estimate(name);
        EXPECT_NEAR(e.value, truth, 4 * e.se) << name;
        EXPECT_NEAR(e.value, truth, 0.1 * truth) << name;
    }
}

TEST(Traps, NoFloorInTheDataIsSaid) {
    const Points points = saturating_points(0.0, 1e12, 0.08, 8, 0.01, Seed{3});

    const Inference inference = infer(find_law("saturating"), points, with_resamples(300));

    EXPECT_THAT(codes(inference), Contains("floor_not_identified"));
    EXPECT_LT(inference.estimate("E").low, 0.01 * *std::min_element(points.loss.begin(), points.loss.end()));
}

Dataset table_of(const SyntheticRuns& runs) {
    std::string text = "N,D,loss\n";
    for (std::size_t i = 0; i < runs.loss.size(); ++i) {
        text += std::to_string(runs.n[i]) + "," + std::to_string(runs.d[i]) + "," + std::to_string(runs.loss[i]) + "\n";
    }
    std::istringstream in{text};
    return read_csv(in, "made-up.csv");
}

TEST(Traps, KaplansDataFittedByChinchillasLawAreToldTheBetterForm) {
    SyntheticRuns runs;
    runs.fill(7, 7, 0, Seed{1});
    const Random random{Seed{5}, Stream::synthetic_data, 2};
    for (std::size_t i = 0; i < runs.loss.size(); ++i) {  // Kaplan et al. 2020, eq. 1.5 with its constants
        runs.loss[i] = std::pow(std::pow(6.4e13 / runs.n[i], 0.076 / 0.103) + 1.8e13 / runs.d[i], 0.103) *
                       std::exp(0.001 * random.normal(i));
    }
    Question question;
    question.law = "chinchilla";
    question.inference = with_resamples(0);
    question.examine.laws = true;

    const Inference wrong = answer(table_of(runs), question);
    question.law = "kaplan";
    const Inference right = answer(table_of(runs), question);

    EXPECT_THAT(codes(wrong), Contains("lack_of_fit"));
    EXPECT_THAT(codes(wrong), Contains("better_law"));
    for (const Warning& warning : wrong.warnings) {
        if (warning.code == "better_law" || warning.code == "lack_of_fit") {
            EXPECT_THAT(warning.text, HasSubstr("'kaplan'"));
        }
    }
    EXPECT_THAT(codes(right), Not(Contains("lack_of_fit")));
    EXPECT_THAT(codes(right), Not(Contains("better_law")));
}

TEST(Traps, AStraightLineThroughDataWithAFloorIsToldTheBetterForm) {
    std::string text = "N,loss\n";
    const Points points = saturating_points(1.2, 3e8, 0.25, 9, 0.002, Seed{6});
    for (std::size_t i = 0; i < points.size(); ++i) {
        text += std::to_string(points.x(i, 0)) + "," + std::to_string(points.loss[i]) + "\n";
    }
    std::istringstream in{text};
    Question question;
    question.law = "power";
    question.inference = with_resamples(0);
    question.examine.laws = true;

    const Inference inference = answer(read_csv(in, "floor.csv"), question);

    ASSERT_THAT(codes(inference), Contains("better_law"));
    EXPECT_THAT(codes(inference), Contains("lack_of_fit"));
    EXPECT_EQ(inference.examination.laws->laws[1].law, "saturating");
    EXPECT_LT(inference.examination.laws->laws[1].test->p, 1e-3);
}

TEST(Traps, EmbeddingsCountedOrNotAreBothShown) {
    // The truth holds in total parameters; small models are mostly embedding.
    SyntheticRuns runs;
    runs.fill(7, 7, 0.001, Seed{9});
    std::string text = "total_params,non_embedding_params,N,D,loss\n";
    for (std::size_t i = 0; i < runs.loss.size(); ++i) {
        const double total = runs.n[i];
        const double other = total - 0.9e6 * std::pow(total / 1e6, 0.5);
        text += std::to_string(total) + "," + std::to_string(other) + "," + std::to_string(other) + "," +
                std::to_string(runs.d[i]) + "," + std::to_string(runs.loss[i]) + "\n";
    }
    std::istringstream in{text};
    Question question;
    question.law = "chinchilla";
    question.inference = with_resamples(200);
    question.examine.conventions = true;

    const Inference inference = answer(read_csv(in, "counts.csv"), question);

    const auto& fits = inference.examination.conventions;
    ASSERT_EQ(fits.size(), 2u);
    EXPECT_EQ(fits[0].convention.convention, "non_embedding");
    EXPECT_TRUE(fits[0].convention.is_used);
    EXPECT_NEAR(value_of(fits[0].fit, "alpha"), inference.estimate("alpha").value, 1e-6);
    EXPECT_EQ(fits[1].convention.convention, "total");
    EXPECT_NEAR(value_of(fits[1].fit, "alpha"), 0.34, 0.02);
    EXPECT_LT(inference.estimate("alpha").value, 0.3) << "counting no embeddings flattens the law";
    EXPECT_THAT(codes(inference), Contains("conventions_differ"));
}

TEST(Traps, RepeatedSeedsGiveTheNoiseThatTheLawIsHeldAgainst) {
    SyntheticRuns runs;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) { runs.fill(6, 6, 0.004, Seed{seed}); }
    Question question;
    question.law = "chinchilla";
    question.inference = with_resamples(0);
    question.examine.laws = true;

    const Inference inference = answer(table_of(runs), question);

    const auto& noise = inference.examination.laws->noise;
    ASSERT_TRUE(noise);
    EXPECT_EQ(noise->cells, 36);
    EXPECT_EQ(noise->degrees, 72);
    EXPECT_NEAR(noise->sd_relative, 0.004, 4 * 0.004 / std::sqrt(2 * 72));  // four standard errors
    EXPECT_THAT(codes(inference), Not(Contains("lack_of_fit")));
}

TEST(BadInput, PerplexitiesMixedUnitsAndRepeatedRowsAreWarnedOf) {
    SyntheticRuns runs;
    runs.fill(6, 6, 0.003, Seed{3});
    SyntheticRuns perplexities = runs;
    for (double& loss : perplexities.loss) { loss = std::exp(loss); }
    SyntheticRuns mixed = runs;
    for (std::size_t i = 30; i < 36; ++i) { mixed.n[i] /= 1e6; }  // the largest size, in millions
    SyntheticRuns repeated = runs;
    repeated.n.push_back(runs.n[7]);
    repeated.d.push_back(runs.d[7]);
    repeated.loss.push_back(runs.loss[7]);
    const auto found = [](const SyntheticRuns& set) {
        return codes(infer(find_law("chinchilla"), set.points(), with_resamples(0)));
    };

    EXPECT_THAT(found(perplexities), Contains("implausible_loss"));
    EXPECT_THAT(found(mixed), Contains("mixed_units"));
    // A ladder of three decades, a third of it in millions: no gap is wider than 500.
    SyntheticRuns ladder = runs;
    for (std::size_t i = 0; i < 36; ++i) {
        ladder.n[i] = 1e7 * std::pow(2000, static_cast<double>(i / 6) / 5) / (i % 3 == 0 ? 1e6 : 1);
    }
    EXPECT_THAT(found(ladder), Contains("mixed_units"));
    SyntheticRuns tiny = runs;  // of 3,000 parameters on
    for (double& n : tiny.n) { n *= 3e3 / runs.n[0]; }
    EXPECT_THAT(found(tiny), Not(Contains("mixed_units")));
    EXPECT_THAT(found(repeated), Contains("duplicated_rows"));
    for (const char* code : {"implausible_loss", "mixed_units", "duplicated_rows"}) {
        EXPECT_THAT(found(runs), Not(Contains(code)));
    }
}

std::vector<std::string> table_codes(const std::string& text, const std::map<std::string, std::string>& mapping = {}) {
    std::istringstream in{text};
    std::vector<std::string> result;
    for (const Warning& warning : table_warnings(read_csv(in, "made-up.csv"), mapping)) {
        result.push_back(warning.code);
    }
    return result;
}

TEST(BadInput, LossesInBitsOrPerplexityAreKnownByTheirNameOrAnotherColumn) {
    const std::string nats = "N,loss\n1e6,4\n1e7,3.5\n1e8,3.1\n";
    EXPECT_THAT(table_codes(nats), ::testing::IsEmpty());
    EXPECT_THAT(table_codes("N,ppl\n1e6,54\n1e7,33\n1e8,22\n", {{"loss", "ppl"}}), Contains("loss_is_perplexity"));
    EXPECT_THAT(table_codes("N,log_perplexity\n1e6,4\n1e7,3.5\n1e8,3.1\n", {{"loss", "log_perplexity"}}),
                ::testing::IsEmpty());
    EXPECT_THAT(table_codes("N,bits_per_byte\n1e6,1.3\n1e7,1.1\n1e8,1\n", {{"loss", "bits_per_byte"}}),
                Contains("loss_in_bits"));
    // 1/ln 2 and exp, to the digits printed
    const std::string both = "N,loss,loss_nats\n1e6,5.7708,4\n1e7,5.0494,3.5\n1e8,4.4724,3.1\n";
    EXPECT_THAT(table_codes(both), UnorderedElementsAre("loss_in_bits"));
    EXPECT_THAT(table_codes("N,loss,nats\n1e6,54.598,4\n1e7,33.115,3.5\n1e8,22.198,3.1\n"),
                UnorderedElementsAre("loss_is_perplexity"));
}

TEST(BadInput, ComputeFarFrom6NDIsAskedFor) {
    const auto table = [](double factor) {
        std::string text = "N,D,C,loss\n";
        for (const double n : {1e6, 1e7, 1e8}) { text += fmt::format("{},{},{},3\n", n, 20 * n, factor * 120 * n * n); }
        return text;
    };

    EXPECT_THAT(table_codes(table(1)), ::testing::IsEmpty());
    EXPECT_THAT(table_codes(table(8)), ::testing::IsEmpty()) << "a large head";
    EXPECT_THAT(table_codes(table(1e-18)), UnorderedElementsAre("implausible_compute"));
    EXPECT_THAT(table_codes(table(1e6)), UnorderedElementsAre("implausible_compute")) << "N in millions";
    std::istringstream beyond{"N,D,C,loss\n1e-300,1e-20,1,3\n2e-300,1e-20,1,3\n"};
    EXPECT_THAT(table_warnings(read_csv(beyond, "made-up.csv"), {}).front().text,
                HasSubstr("C is over 1e308 times 6ND"));
    std::istringstream in{table(1 / 8.64e19)};
    EXPECT_THAT(table_warnings(read_csv(in, "made-up.csv"), {}).front().text,
                HasSubstr("in all rows: given in PF-days?"));
}

TEST(HoldOut, ExpressesAnErrorAsAFactorOfCompute) {
    // Points on L = 3 (X/1e5)^-.1; the largest did as well as one of three times its X.
    std::vector<double> x, loss;
    for (int i = 0; i < 8; ++i) {
        x.push_back(1e5 * std::pow(4.0, i));
        loss.push_back(3 * std::pow(x.back() * (i == 7 ? 3 : 1) / 1e5, -0.1));
    }
    const std::span<const double> columns[] = {x};

    const HoldOut held = hold_out_largest(find_law("power"), make_points(columns, loss), Objective{}, 0, "C", 1, 1);

    EXPECT_NEAR(held.compute_ratio, 3, 1e-6);
    EXPECT_GT(held.mean_error_nats, 0);
}

TEST(HoldOut, ALossBelowThePredictedFloorHasNoComputeRatio) {
    Points points = saturating_points(1.2, 3e8, 0.25, 8);
    points.loss.back() = 1.1;
    points.ln_loss.back() = std::log(1.1);

    const HoldOut held = hold_out_largest(find_law("saturating"), points, Objective{}, 0, "C", 1, 1);

    EXPECT_TRUE(std::isnan(held.compute_ratio));
}

TEST(LeaveOneSizeOut, PredictsEverySizeOfALawThatHolds) {
    SyntheticRuns runs;
    runs.fill(5, 6, 0, Seed{1});
    const Law& law = find_law("chinchilla");
    const Optimum optimum = find_optimum(law, runs.points(), Objective{}, 2);

    const CrossValidation validation = leave_one_size_out(law, runs.points(), Objective{}, optimum, "N", 2);

    ASSERT_EQ(validation.folds.size(), 5u);
    for (const Fold& fold : validation.folds) { EXPECT_EQ(fold.n_points, 6u); }
    EXPECT_LT(validation.rms_error_nats, 1e-6);
}

TEST(Rungs, MergeNeighboursWhereSizesAreManyAndKeepEveryPoint) {
    std::vector<double> x, loss;
    for (int i = 0; i < 100; ++i) {
        x.push_back(1e6 * std::pow(1.05, i));
        loss.push_back(3);
    }
    const std::span<const double> columns[] = {x};

    const auto parts = rungs(make_points(columns, loss), 0);

    EXPECT_EQ(parts.size(), 12u);
    std::size_t points = 0;
    for (const auto& part : parts) {
        EXPECT_GE(part.size(), 8u);
        EXPECT_LE(part.size(), 9u);
        points += part.size();
    }
    EXPECT_EQ(points, 100u);
}

}  // namespace
}  // namespace loglog
