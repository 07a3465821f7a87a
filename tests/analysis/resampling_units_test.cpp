#include "analysis/inference/resampling_units.hpp"

#include <gmock/gmock.h>

#include <sstream>

#include "analysis/inference/study.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* table =
    "N,D,loss,run,seed,precision\n"
    "1e6,1e8,5,a,1,1\n1e6,2e8,4.8,a,1,1\n4e6,1e8,4.6,b,2,1\n4e6,2e8,4.4,b,2,1\n16e6,1e8,4.3,c,1,4\n16e6,1e8,4.1,d,2,"
    "4\n";

Dataset data() {
    std::istringstream in{table};
    return read_csv(in, "runs.csv");
}

struct Assigned {
    Points points;
    InferenceOptions options;
};

Assigned assign(const UnitOptions& units, std::map<std::string, std::string> mapping = {}) {
    const Dataset read = data();
    const auto numbers = positive_columns(read, {0, 1, 2});
    const std::span<const double> columns[] = {numbers[0], numbers[1]};
    Assigned made{make_points(columns, numbers[2]), {}};
    made.options.ids = read.row_names;
    assign_units(made.points, made.options, read, mapping, units, find_law("chinchilla"));
    return made;
}

TEST(ResamplingUnits, RowsOfOneRunAreGroupedUnaskedWithAWarning) {
    const Assigned made = assign({});

    EXPECT_THAT(made.points.group, ElementsAre(0u, 0u, 1u, 1u, 2u, 3u));
    ASSERT_EQ(made.options.warnings.size(), 1u);
    EXPECT_EQ(made.options.warnings[0].code, "repeated_run");
    EXPECT_THAT(made.options.warnings[0].text, HasSubstr("6 points come from 4 runs"));
}

TEST(ResamplingUnits, WhatIsAskedForIsDoneWithoutAWarning) {
    EXPECT_THAT(assign({"none", Repeats::each}).points.group, IsEmpty());
    EXPECT_THAT(assign({"size", Repeats::each}).points.group, ElementsAre(0u, 0u, 1u, 1u, 2u, 2u));
    EXPECT_THAT(assign({"seed", Repeats::each}).points.group, ElementsAre(0u, 0u, 1u, 1u, 0u, 1u));
    EXPECT_THAT(assign({"run", Repeats::each}).options.warnings, IsEmpty());
}

TEST(ResamplingUnits, AverageMakesOnePointOfEachPlaceWithSummedWeight) {
    const Assigned made = assign({"none", Repeats::average});

    ASSERT_EQ(made.points.size(), 5u);
    EXPECT_NEAR(made.points.loss[4], std::sqrt(4.3 * 4.1), 1e-12);  // of logarithms
    EXPECT_NEAR(made.points.weight[4] / made.points.weight[0], 2, 1e-12);
    EXPECT_EQ(made.options.ids[4], "line 6 + line 7");
}

TEST(ResamplingUnits, WeightsAreRelative) {
    const Assigned made = assign({"none", Repeats::each}, {{"weight", "precision"}});

    EXPECT_THAT(made.points.weight, ElementsAre(0.5, 0.5, 0.5, 0.5, 2, 2));
}

TEST(ResamplingUnits, AWrongColumnIsNamed) {
    try {
        assign({"runs", Repeats::each});
        FAIL() << "grouped by no column";
    } catch (const InputError& error) { EXPECT_THAT(error.what(), HasSubstr("did you mean 'run'")); }
    EXPECT_THROW(parse_repeats("mean"), InputError);
}

TEST(ResamplingUnits, AFitSaysWhatWasDrawn) {
    Question question;
    question.law = "power";
    question.x = "D";
    question.points = PointChoice::all;
    question.inference.bootstrap.resamples = 20;

    const Inference inference = answer(data(), question);

    EXPECT_EQ(inference.resamples.units, 4u);
    EXPECT_THAT(to_json(inference), HasSubstr("\"grouped\": true"));
    EXPECT_THAT(to_text(inference), HasSubstr("over 4 groups of points"));
}

TEST(ResamplingUnits, DrawnLossesAreRefusedForGroups) {
    Question question;
    question.law = "power";
    question.x = "D";
    question.points = PointChoice::all;
    question.inference.bootstrap = {20, Seed{1}, 1, BootstrapKind::parametric};
    try {
        answer(data(), question);
        FAIL() << "drew independent noise for points of one run";
    } catch (const InputError& error) { EXPECT_THAT(error.what(), HasSubstr("--group none")); }
}

}  // namespace
}  // namespace loglog
