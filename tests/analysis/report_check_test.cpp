#include "analysis/report/check.hpp"

#include <gmock/gmock.h>

#include "analysis/report/identity.hpp"
#include "analysis/report/page.hpp"
#include "tests/analysis/sample_report.hpp"

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(NumbersIn, FindsNumbersAndLeavesWordsAlone) {
    const auto found = numbers_in("alpha = -0.347 [0.31, 4e-05], 2x32, run 7k2m9q4d, width 64.");

    EXPECT_EQ(found.words, "alpha = # [#, #], 2x32, run 7k2m9q4d, width #.");
    EXPECT_THAT(found.numbers, ElementsAre("-0.347", "0.31", "4e-05", "64"));
}

TEST(IsSameNumber, AllowsOneUnitOfTheLastDigitPrintedAndNoMore) {
    EXPECT_TRUE(is_same_number("0.347", "0.348", Closeness::printed));
    EXPECT_FALSE(is_same_number("0.347", "0.349", Closeness::printed));
    EXPECT_TRUE(is_same_number("1.23e+18", "1.24e+18", Closeness::printed));
    EXPECT_TRUE(is_same_number("0.34731102938471", "0.34731149", Closeness::printed));
    EXPECT_FALSE(is_same_number("0.34731102938471", "0.34731302", Closeness::printed));
    EXPECT_FALSE(is_same_number("240", "241", Closeness::printed));
    EXPECT_FALSE(is_same_number("0.34731102938471", "0.34731102938472", Closeness::exact));
}

TEST(ReadPage, GivesTextsTheirPlaceAndSource) {
    const PageContent content = read_page(
        "<main><section id=\"a\" data-source=\"abc\"><p>Loss <b>1.5</b>\n nats</p><table id=\"t\"><tr><td>x</td>"
        "<td data-value=\"1250\">1.25 k</td></tr></table></section>"
        "<script type=\"application/json\" id=\"d\">{\"a<b\":1}</script></main>");

    ASSERT_EQ(content.blocks.size(), 4u);
    EXPECT_EQ(content.blocks[0].text, "Loss 1.5 nats");
    EXPECT_EQ(content.blocks[0].source, "abc");
    EXPECT_EQ(content.blocks[2].text, "1250");
    EXPECT_EQ(content.blocks[3].place, "t row 1 column 2");
    EXPECT_EQ(content.json.at("d"), "{\"a<b\":1}");
}

TEST(Seal, BreaksWithAnyByte) {
    Report report;
    report.input = sample_report_input(2, 2, 10);
    std::string page = render_page(report);

    EXPECT_TRUE(seal_holds(page));
    page[page.size() / 2] ^= 1;
    EXPECT_FALSE(seal_holds(page));
}

TEST(Fingerprint, ChangesWithNumbersAndNotWithLabels) {
    ReportRun run = sample_report_input(1, 1, 10).runs.front();
    const RunFingerprint before = fingerprint(run);

    run.record.tags = {"kept"};
    run.record.folder = "elsewhere";
    EXPECT_EQ(fingerprint(run), before);
    run.record.final_val_loss = *run.record.final_val_loss + 1e-15;
    run.curve.val_loss.back() += 1e-15;
    EXPECT_NE(fingerprint(run).record, before.record);
    EXPECT_NE(fingerprint(run).curve, before.curve);
}

class CheckPage : public ::testing::Test {
  protected:
    CheckPage() {
        options_.bootstrap = {20, Seed{1}, 2};
        page_.html = render_page(analyse(sample_report_input(), options_));
        read();
    }
    void read() {
        page_.content = read_page(page_.html);
        page_.recipe = parse_recipe(page_.content.json.at("report-recipe"), "page");
    }

    ReportOptions options_;
    PageToCheck page_;
};

TEST_F(CheckPage, FindsEveryNumberAgain) {
    const CheckResult result = check_page(page_, sample_report_input(), 1);

    EXPECT_TRUE(result.passed()) << to_text(result);
    EXPECT_GT(result.shown, 300u);
    EXPECT_GT(result.data, 3000u);
}

TEST_F(CheckPage, NamesTheRunWhoseLossChanged) {
    ReportInput input = sample_report_input();
    *input.runs[2].record.final_val_loss += 0.01;

    const CheckResult result = check_page(page_, input, 1);

    EXPECT_FALSE(result.passed());
    ASSERT_EQ(result.runs.size(), 1u);
    EXPECT_EQ(result.runs[0].id, "run-02");
    EXPECT_EQ(result.runs[0].where, "final_val_loss");
    EXPECT_FALSE(result.differences.empty());
}

TEST_F(CheckPage, NamesAChangedCurveAndAMissingRun) {
    ReportInput input = sample_report_input();
    input.runs[1].curve.train_loss[0] += 0.5;
    input.runs.erase(input.runs.begin() + 3);

    const CheckResult result = check_page(page_, input, 1);

    EXPECT_FALSE(result.is_recomputed);
    ASSERT_EQ(result.runs.size(), 2u);
    EXPECT_EQ(result.runs[0].where, "curve");
    EXPECT_EQ(result.runs[1].is, "missing");
    EXPECT_THAT(result.differences, IsEmpty());
}

TEST_F(CheckPage, FindsAnEditedNumberInATable) {
    const auto at = page_.html.find("<td", page_.html.find("id=\"fits\""));
    const auto digit = page_.html.find("0.", at) + 2;
    page_.html[digit] = page_.html[digit] == '9' ? '1' : '9';
    read();

    const CheckResult result = check_page(page_, sample_report_input(), 1);

    ASSERT_EQ(result.differences.size(), 1u) << to_text(result);
    EXPECT_THAT(result.differences[0].where, HasSubstr("fits row"));
    EXPECT_THAT(result.notes, ElementsAre(HasSubstr("edited")));
}

}  // namespace
}  // namespace loglog
