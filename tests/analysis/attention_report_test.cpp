#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "analysis/report/attention_section.hpp"
#include "analysis/report/figures.hpp"
#include "analysis/report/page.hpp"
#include "analysis/report/report.hpp"
#include "tests/analysis/sample_attention_report.hpp"
#include "tests/analysis/sample_report.hpp"

namespace loglog {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;

ReportOptions options() {
    ReportOptions chosen;
    chosen.bootstrap = {50, Seed{1}, 2};
    return chosen;
}

TEST(AttentionReport, FitsTheBaselineAloneAndComparesTheOthers) {
    const Report report = analyse(sample_attention_input(), options());

    EXPECT_EQ(report.fitted_attention, "dense");
    ASSERT_TRUE(report.comparison) << report.comparison_failure;
    EXPECT_EQ(report.comparison->variants.size(), 5u);
    EXPECT_THAT(report.warnings, Contains(Field(&Warning::code, "one_attention_fitted")));
    EXPECT_THAT(report.warnings, Not(Contains(Field(&Warning::code, "mixed_runs"))));
    // 3 sizes x 3 seeds of dense; its learning-rate searches and the other kinds enter no law.
    ASSERT_NE(report.find("power-D"), nullptr);
    EXPECT_EQ(report.find("power-D")->points.size(), 9u);
    EXPECT_THAT(findings(report)[0], HasSubstr("9 finished runs with attention dense enter the fits"));
    EXPECT_THAT(report.excluded, Contains(Field(&Exclusion::reason, HasSubstr("learning-rate search"))));
    EXPECT_THAT(report.excluded, Contains(Field(&Exclusion::reason, HasSubstr("its attention is gdn"))));
}

TEST(AttentionReport, DrawsNothingElseAsFitted) {
    const Report report = analyse(sample_attention_input(), options());

    const auto sets = datasets(report);

    for (const auto& row : sets.at("runs")) {
        if (row.at("attention") != "dense") { EXPECT_EQ(row.at("use_C"), "not in the fit"); }
    }
    for (const char* name : {"attention_points", "attention_lines", "attention_multipliers", "attention_positions",
                             "attention_rates", "attention_speed"}) {
        EXPECT_FALSE(sets.at(name).empty()) << name;
    }
    EXPECT_EQ(sets.at("attention_positions").size(), 5 * 8u);
    EXPECT_EQ(sets.at("attention_multipliers").size(), 4 * 2u);
}

TEST(AttentionReport, ShowsItsSectionAndEscapesLabels) {
    const std::string page = render_page(analyse(sample_attention_input(), options()));

    EXPECT_THAT(page,
                AllOf(HasSubstr("id=\"attention\""), HasSubstr("href=\"#attention\""), HasSubstr("Compute multipliers"),
                      HasSubstr("dense-aa (control)"), HasSubstr("loss is NaN at step 17")));
    EXPECT_THAT(page, Not(HasSubstr("<i>moba")));
    EXPECT_THAT(page, HasSubstr("&lt;i&gt;moba"));
}

TEST(AttentionReport, HasNumbersInItsJson) {
    const auto json = nlohmann::json::parse(to_json(analyse(sample_attention_input(), options())));

    EXPECT_EQ(json.at("fitted_attention"), "dense");
    EXPECT_EQ(json.at("comparison").at("variants").size(), 5u);
}

TEST(AttentionReport, IsNotThereForOneKind) {
    const Report report = analyse(sample_report_input(), options());

    EXPECT_FALSE(report.comparison);
    EXPECT_THAT(render_page(report), Not(HasSubstr("id=\"attention\"")));
    const auto json = nlohmann::json::parse(to_json(report));
    EXPECT_TRUE(json.at("comparison").is_null());
    EXPECT_FALSE(json.contains("comparison_failure"));
}

TEST(AttentionReport, SaysWhyKindsWereNotCompared) {
    ReportInput input = sample_attention_input();
    std::erase_if(input.runs, [](const ReportRun& run) { return *run.record.width != 64; });

    const Report report = analyse(std::move(input), options());

    EXPECT_FALSE(report.comparison);
    EXPECT_THAT(render_page(report), HasSubstr("Not compared: compare: all finished runs have one size (2x64)"));
}

TEST(AttentionReport, TakesTheKindOfMostRunsWithoutTheBaseline) {
    ReportInput input = sample_attention_input();
    std::erase_if(input.runs, [](const ReportRun& run) { return run.record.attention == "dense"; });

    const Report report = analyse(std::move(input), options());

    EXPECT_NE(report.fitted_attention, "dense");
    ASSERT_TRUE(report.comparison) << report.comparison_failure;
    EXPECT_EQ(report.comparison->variants.front().name, report.fitted_attention);
}

}  // namespace
}  // namespace loglog
