#include "analysis/report/report.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "analysis/report/figures.hpp"
#include "analysis/report/formats.hpp"
#include "analysis/report/headline.hpp"
#include "analysis/report/html.hpp"
#include "analysis/report/page.hpp"
#include "analysis/report/quantity.hpp"
#include "analysis/report/tables.hpp"
#include "analysis/report/thin.hpp"
#include "engine/base/error.hpp"
#include "tests/analysis/sample_report.hpp"

namespace loglog {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

Report sample_report() {
    ReportOptions options;
    options.bootstrap = {50, Seed{1}, 2};
    return analyse(sample_report_input(), options);
}

std::string read(const std::filesystem::path& file) {
    std::ifstream in{file};
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

std::size_t occurrences(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) { ++count; }
    return count;
}

std::string fixed(const Inference* fit, const char* name) { return fmt::format("{:.3f}", fit->estimate(name).value); }

TEST(Thin, KeepsShortCurvesAndAveragesLongOnes) {
    const std::vector<double> x{1, 2, 4, 8};
    const std::vector<double> y{4, 3, 2, 1};
    EXPECT_EQ(thin(x, y, 4).size(), 4u);
    EXPECT_EQ(thin(x, y, 4)[2], (std::pair{4.0, 2.0}));

    std::vector<double> many, ones;
    for (int i = 1; i <= 10000; ++i) {
        many.push_back(i);
        ones.push_back(i % 2 == 0 ? 0.5 : 1.5);
    }
    const auto curve = thin(many, ones, 50);
    EXPECT_LE(curve.size(), 51u);
    EXPECT_GE(curve.size(), 30u);
    EXPECT_EQ(curve.back().first, 10000);
    EXPECT_NEAR(curve.back().second, 1.0, 0.01);
}

TEST(Rounded, KeepsSignificantDigits) {
    EXPECT_EQ(rounded(3.14159265, 3), 3.14);
    EXPECT_EQ(rounded(1234567, 2), 1200000);
}

TEST(EscapeHtml, LeavesNoMarkup) {
    EXPECT_EQ(escape_html("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
    EXPECT_EQ(escape_json_for_script("\"</script><!--\""), "\"\\u003c/script>\\u003c!--\"");
}

TEST(WithPrefix, UsesDecimalPrefixes) {
    EXPECT_EQ(with_prefix(1234567), "1.23 M");
    EXPECT_EQ(with_prefix(999999), "1 M");
    EXPECT_EQ(with_prefix(42), "42");
    EXPECT_EQ(with_prefix(2.5e18), "2.50e+18");
}

TEST(Analyse, FitsEveryLawUnderEveryConvention) {
    const Report report = sample_report();

    EXPECT_EQ(report.fits.size(), 2 * 5 + 3u);
    for (const auto& fit : report.fits) { EXPECT_TRUE(fit.inference) << fit.id << ": " << fit.failure; }
    ASSERT_NE(report.find("chinchilla-total"), nullptr);
    // 14 runs and noise of 0.4 %: the fit is rough, the sign and size of the exponents are not in doubt.
    EXPECT_NEAR(report.find("chinchilla-non_embedding")->estimate("beta").value, 0.3, 0.15);
    EXPECT_EQ(report.excluded.size(), 2u);
    EXPECT_EQ(report.excluded[0].reason, "state is diverged: loss is NaN at step 17");
}

TEST(Analyse, CopiesTheFitOfTiedHeadsAndNotOfUntiedOnes) {
    ReportInput input = sample_report_input();
    ReportOptions options;
    options.bootstrap = {0, Seed{1}, 1};
    const auto alpha = [](const Report& report, const char* id) { return report.find(id)->estimate("alpha").value; };

    const Report tied = analyse(input, options);
    for (auto& run : input.runs) { *run.record.total_params += *run.record.embedding_params; }
    const Report untied = analyse(input, options);

    EXPECT_EQ(alpha(tied, "power-N-with_head"), alpha(tied, "power-N-non_embedding"));
    EXPECT_NE(alpha(untied, "power-N-with_head"), alpha(untied, "power-N-non_embedding"));
}

TEST(Analyse, SaysWhyALawWasNotFitted) {
    ReportInput input = sample_report_input(1, 3);
    ReportOptions options;
    options.bootstrap = {0, Seed{1}, 1};

    const Report report = analyse(input, options);

    EXPECT_EQ(report.find("power-N-non_embedding"), nullptr);
    EXPECT_THAT(findings(report), Contains(HasSubstr("could not be fitted")));
    EXPECT_THAT(fits_table(report), HasSubstr("not fitted: "));
    EXPECT_NE(render_page(report).find("not found"), std::string::npos);
}

TEST(Analyse, RendersRunsOfWhichNoneHasFinished) {
    ReportInput input = sample_report_input(2, 2);
    for (auto& run : input.runs) { run.record.state = RunState::running; }

    const Report report = analyse(input, {});

    EXPECT_EQ(report.excluded.size(), 4u);
    EXPECT_THAT(findings(report)[0], HasSubstr("None of the chosen runs has finished"));
    EXPECT_FALSE(render_page(report).empty());
    EXPECT_THROW(analyse(ReportInput{}, {}), InputError);
}

TEST(Analyse, WarnsWhereOneLawMixesKinds) {
    ReportInput input = sample_report_input();
    input.runs[0].record.parameterization = "mup";
    input.runs[0].record.family = "encoder";
    ReportOptions options;
    options.bootstrap = {0, Seed{1}, 1};

    const Report report = analyse(input, options);

    ASSERT_EQ(report.warnings.size(), 2u);
    EXPECT_EQ(report.warnings[0].code, "mixed_runs");
    EXPECT_THAT(report.warnings[0].text, HasSubstr("family (decoder, encoder)"));
}

ReportOptions without_intervals() {
    ReportOptions options;
    options.bootstrap = {0, Seed{1}, 1};
    return options;
}

TEST(Analyse, SaysOfTheRunsHowTheyWereTrainedOnThePageInItsNumbersAndInMarkdown) {
    ReportInput input = sample_report_input();
    for (auto& run : input.runs) { run.record.unique_tokens = run.record.tokens; }
    *input.runs[0].record.unique_tokens /= 4;

    const Report report = analyse(input, without_intervals());

    ASSERT_EQ(report.warnings.size(), 1u);
    EXPECT_EQ(report.warnings[0].code, "repeated_data");
    const std::string text = "1 of 14 runs saw their tokens more than once, up to 4 times (run-00)";
    EXPECT_THAT(render_page(report), HasSubstr("<code>repeated_data</code> " + text));
    EXPECT_THAT(to_markdown(report), HasSubstr("`repeated_data` " + text));
    const auto numbers = nlohmann::json::parse(to_json(report));
    EXPECT_EQ(numbers.at("warnings").at(0).at("code"), "repeated_data");
    EXPECT_THAT(numbers.at("warnings").at(0).at("text").get<std::string>(), HasSubstr(text));
}

TEST(Analyse, SearchesThatEnterNoFitStillTellOfAnUntunedLearningRate) {
    const auto codes = [](const ReportInput& input) {
        std::vector<std::string> list;
        for (const auto& warning : analyse(input, without_intervals()).warnings) { list.push_back(warning.code); }
        return list;
    };
    ReportInput input = sample_sweep_input();
    EXPECT_THAT(codes(input), Not(Contains("untuned_learning_rate")));

    for (auto& run : input.runs) {
        if (run.record.name == "lr-search" && run.record.lr > 5e-3) { run.record.state = RunState::diverged; }
    }

    EXPECT_THAT(codes(input), Contains("untuned_learning_rate"));
    EXPECT_THAT(codes(input), Not(Contains("mixed_learning_rates")));
}

/// Finished runs of sizes a factor of 2 apart, all on the same tokens, with L = floor + 150 N^-0.4 and noise of 0.1%.
ReportInput ladder_input(double floor) {
    ReportInput input = sample_report_input(12, 1, 10);
    const Random random{Seed{9}, Stream::synthetic_data};
    for (std::size_t i = 0; i < input.runs.size(); ++i) {
        RunRecord& r = input.runs[i].record;
        const double n = 2e4 * std::pow(2.0, static_cast<double>(i));
        r.state = RunState::ok;
        r.non_embedding_params = static_cast<std::int64_t>(n);
        r.total_params = *r.non_embedding_params + *r.embedding_params;
        r.final_val_loss = (floor + 150 * std::pow(n, -0.4)) * std::exp(1e-3 * random.normal(i));
    }
    return input;
}

TEST(Findings, LeadWithTheLawThatHasAFloorWhereAiccLeavesThePowerLawNoSupport) {
    ReportOptions options;
    options.bootstrap = {50, Seed{1}, 2};
    const Report report = analyse(ladder_input(1.5), options);

    const Headline lead = headline(report, "N-non_embedding");

    ASSERT_EQ(lead.law, "saturating");
    EXPECT_GT(lead.aicc_gain, 10);
    // 12 points with noise of 0.1%: the exponent's standard error is some 0.01, five of them are allowed.
    EXPECT_NEAR(lead.fit->estimate("alpha").value, 0.4, 0.05);
    const Findings found = sorted_findings(report);
    const std::string sentence = *std::find_if(found.found.begin(), found.found.end(), [](const std::string& one) {
        return one.find("with model size") != std::string::npos;
    });
    EXPECT_THAT(sentence, HasSubstr("Loss falls with model size towards a floor of " + fixed(lead.fit, "E")));
    EXPECT_THAT(sentence, HasSubstr("as N^-" + fixed(lead.fit, "alpha")));
    EXPECT_THAT(sentence, HasSubstr("without a floor it would be N^-" + fixed(lead.other, "alpha")));
    EXPECT_THAT(sentence, HasSubstr("Burnham and Anderson 2002"));
    EXPECT_THAT(found.found, Contains(HasSubstr("the exponent in N of the saturating law")));
    EXPECT_THAT(render_page(report), HasSubstr("<b>" + fixed(lead.fit, "alpha") + "</b>"));
    EXPECT_THAT(render_page(report), HasSubstr("loss against model size, above a floor of " + fixed(lead.fit, "E")));
}

TEST(Findings, LeadWithThePowerLawWhereThereIsNoFloor) {
    const Report report = analyse(ladder_input(0), without_intervals());

    const Headline lead = headline(report, "N-non_embedding");

    EXPECT_EQ(lead.id, "power-N-non_embedding");
    EXPECT_EQ(lead.other, nullptr);
    EXPECT_THAT(findings(report), Contains(HasSubstr("Loss falls with model size as N^-" + fixed(lead.fit, "alpha"))));
}

TEST(Findings, OfLossesThatDoNotFallSayThatNothingWasFound) {
    ReportInput input = ladder_input(0);
    for (std::size_t i = 0; i < input.runs.size(); ++i) {
        input.runs[i].record.final_val_loss = 3 + 0.01 * static_cast<double>(i);  // rises with N
    }
    ReportOptions options;
    options.bootstrap = {50, Seed{1}, 2};

    const Findings findings = sorted_findings(analyse(std::move(input), options));

    EXPECT_THAT(findings.not_found, Contains(HasSubstr("No fall of the loss with model size is told apart from none")));
    EXPECT_THAT(findings.found, Each(AllOf(Not(HasSubstr("with model size")), Not(HasSubstr("exponent in N")),
                                           Not(HasSubstr("Fitted together")))));
}

TEST(Analyse, SaysThatRunsHaveLostTheirFolders) {
    ReportInput input = sample_report_input();
    input.folders_missing = 2;
    const Report report = analyse(std::move(input), without_intervals());

    EXPECT_THAT(report.warnings, Contains(::testing::Field(&Warning::code, "folders_missing")));
}

TEST(ReportFile, IsRefusedWhereItCannotBeOneBeforeAnythingIsFitted) {
    const auto message = [](const std::filesystem::path& out, ReportFormat format) -> std::string {
        try {
            require_report_file(out, format);
        } catch (const InputError& error) { return error.what(); }
        return "accepted";
    };

    EXPECT_THAT(message("-", ReportFormat::json), HasSubstr("--json"));
    const std::filesystem::path folder{::testing::TempDir()};
    EXPECT_THAT(message(folder, ReportFormat::html), HasSubstr("such as " + (folder / "report.html").string()));
    EXPECT_THAT(message("new/", ReportFormat::md), HasSubstr("such as new/report.md"));
    EXPECT_THAT(message("page.json", ReportFormat::html), HasSubstr("named like json"));
    EXPECT_EQ(message("page.htm", ReportFormat::html), "accepted");
    EXPECT_EQ(message("tables", ReportFormat::csv), "accepted");
}

TEST(RenderPage, IsSelfContainedAndEscapesWhatItShows) {
    const std::string page = render_page(sample_report());

    EXPECT_EQ(occurrences(page, "</script>"),
              5u);  // recipe, numbers, data, libraries, page: none from a name or the environment
    EXPECT_THAT(page, Not(HasSubstr("<b>of</b>")));
    EXPECT_THAT(page, HasSubstr("&lt;tied&gt;"));
    for (const char* outside : {"src=\"http", "href=\"http", "@import", "url(http", "{{title}}", "{{data}}"}) {
        EXPECT_THAT(page, Not(HasSubstr(outside)));
    }
    EXPECT_THAT(page, AllOf(HasSubstr("How to recompute"), HasSubstr("node1"), HasSubstr("loss is NaN at step 17")));
}

TEST(WriteReport, WritesPageNumbersRunsCurvesAndSpecs) {
    const auto folder = std::filesystem::path{::testing::TempDir()} / "loglog-report-test";
    std::filesystem::remove_all(folder);

    const ReportFiles files = write_report(sample_report(), folder / "report.html");

    EXPECT_EQ(files.charts.size(), 17u);
    const auto numbers = nlohmann::json::parse(read(files.numbers));
    EXPECT_EQ(numbers.at("fits").size(), 13u);
    EXPECT_TRUE(numbers.at("fits").at(0).at("fit").at("parameters").at("alpha").at("low").is_number());
    EXPECT_EQ(occurrences(read(files.runs), "\n"), 1 + 16u);
    EXPECT_THAT(read(files.runs), HasSubstr("\"w32, <tied>\""));
    for (const auto& chart : files.charts) {
        const auto spec = nlohmann::json::parse(read(chart));
        EXPECT_TRUE(spec.contains("datasets") || spec.at("data").at("url") == "../report-curves.csv") << chart;
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator{folder}) {
        EXPECT_NE(entry.path().extension(), ".partial") << entry.path();
    }
    std::filesystem::remove_all(folder);
}

TEST(WriteReport, SaysWhereItCannotWrite) {
    try {
        write_report(sample_report(), "/proc/no-such-folder/report.html");
        FAIL() << "wrote into /proc";
    } catch (const Error& error) { EXPECT_THAT(error.what(), HasSubstr("/proc/no-such-folder")); }
}

TEST(RenderPage, OfAThousandRunsStaysSmall) {
    ReportOptions options;
    options.bootstrap = {0, Seed{1}, 2};
    Report report;
    report.input = sample_report_input(25, 40, 300);
    report.options = options;

    const std::string page = render_page(report);

    EXPECT_LT(page.size(), 8'000'000u);
}

}  // namespace
}  // namespace loglog
