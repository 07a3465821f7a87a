#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "db/import/csv_table.hpp"
#include "db/import/json_lines.hpp"
#include "db/import/tracker_exports.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <class Parse>
std::string refusal(const Parse& parse) {
    try {
        parse();
    } catch (const InputError& error) { return error.what(); }
    return "it was not refused";
}

TEST(CsvTable, ReadsQuotedCellsCommentsAndBlankLines) {
    const std::string text =
        "\xEF\xBB\xBF# where from\r\nname, N ,loss\r\n\r\n\"a, \"\"b\"\"\",1e6, 3.5\r\n\"two\nlines\",2,\n# end\nc,3,4";

    const ImportTable table = parse_csv_table(text, "f.csv");

    EXPECT_THAT(table.columns, ElementsAre("name", "N", "loss"));
    ASSERT_EQ(table.rows.size(), 3u);
    EXPECT_THAT(table.rows[0].cells, ElementsAre("a, \"b\"", "1e6", "3.5"));
    EXPECT_EQ(table.rows[0].place, "line 4");
    EXPECT_THAT(table.rows[1].cells, ElementsAre("two\nlines", "2", ""));
    EXPECT_THAT(table.rows[2].cells, ElementsAre("c", "3", "4"));
    EXPECT_EQ(table.rows[2].place, "line 8");
}

TEST(CsvTable, KeepsAnEmptyLastCell) {
    const ImportTable table = parse_csv_table("a,b\n1,\n", "f.csv");

    EXPECT_THAT(table.rows[0].cells, ElementsAre("1", ""));
}

TEST(CsvTable, TellsEveryMalformedLineAtOnce) {
    const auto told = refusal([] { parse_csv_table("a,b,a\n1,2,3\n1,2\n1,2,3,4\n\"x,1\n", "f.csv"); });

    EXPECT_THAT(told, AllOf(HasSubstr("f.csv: 4 problems"), HasSubstr("line 1: two columns have the name 'a'"),
                            HasSubstr("line 3: found 2 cells, wanted 3"), HasSubstr("line 4: found 4 cells"),
                            HasSubstr("line 5: a quoted cell that begins here is not closed")));
    EXPECT_THAT(refusal([] { parse_csv_table("# only\n", "f.csv"); }), HasSubstr("no header line"));
    EXPECT_THAT(refusal([] { parse_csv_table("a,b\n", "f.csv"); }), HasSubstr("no row under the header"));
}

TEST(JsonLines, FlattensObjectsAndReadsPythonsNaN) {
    const ImportTable table = parse_json_lines(
        "{\"run\": \"a NaN\", \"config\": {\"lr\": 0.1}, \"loss\": NaN}\n\n{\"run\": \"b\", \"extra\": [1, -Infinity], "
        "\"loss\": null}\n",
        "f.jsonl");

    EXPECT_THAT(table.columns, ElementsAre("run", "config.lr", "loss", "extra"));
    EXPECT_THAT(table.rows[0].cells, ElementsAre("a NaN", "0.1", "NaN", ""));
    EXPECT_THAT(table.rows[1].cells, ElementsAre("b", "", "", "[1,\"-Infinity\"]"));
    EXPECT_EQ(table.rows[1].place, "line 3");
}

TEST(JsonLines, KeepsNumbersBitForBit) {
    const ImportTable table = parse_json_lines("{\"loss\": 0.30000000000000004, \"N\": 1e6}", "f.jsonl");

    EXPECT_THAT(table.rows[0].cells, ElementsAre("0.30000000000000004", "1000000.0"));
}

TEST(JsonLines, TellsEveryLineThatIsNoObject) {
    const std::string bad = "[1]\n{\"a\": }\n{\"a\": 1, \"b\": {\"a\": 2}, \"a\": 1}\n";
    const auto told = refusal([&] { parse_json_lines(bad, "f.jsonl"); });

    EXPECT_THAT(told, AllOf(HasSubstr("f.jsonl: 3 problems"), HasSubstr("line 1: found array, wanted an object"),
                            HasSubstr("line 2: is no JSON"), HasSubstr("line 3: two members have the name 'a'")));
    const ImportTable table = parse_json_lines("{\"a\": 1, \"b\": {\"a\": 2}}\n" + bad, "f.jsonl");
    EXPECT_THAT(table.problems,
                ElementsAre(HasSubstr("line 2: found array"), HasSubstr("line 3"), HasSubstr("line 4")));
    EXPECT_EQ(table.rows.size(), 1u);
}

TEST(WandbChart, BecomesRowsOfRunAndStep) {
    const ImportTable chart = parse_csv_table(
        "\"Step\",\"big - 2 - train/loss\",\"big - 2 - train/loss__MIN\",\"big - 2 - train/loss__MAX\",\"small - "
        "_step\",\"small - train/loss\"\n10,3.5,3.4,3.6,,\n20,3.25,3.25,3.25,20,4.5\n",
        "chart.csv");

    ASSERT_TRUE(is_wandb_chart(chart));
    const ImportTable rows = rows_of_wandb_chart(chart);

    EXPECT_THAT(rows.columns, ElementsAre("run", "Step", "train/loss"));
    ASSERT_EQ(rows.rows.size(), 3u);
    EXPECT_THAT(rows.rows[1].cells, ElementsAre("big - 2", "20", "3.25"));
    EXPECT_THAT(rows.rows[2].cells, ElementsAre("small", "20", "4.5"));
    EXPECT_THAT(rows.notes, ElementsAre(HasSubstr("2 columns __MIN and __MAX were passed over")));
}

TEST(WandbChart, IsNotFoundInATableOfRuns) {
    EXPECT_FALSE(is_wandb_chart(parse_csv_table("Name,State,loss\na,finished,3\n", "f.csv")));
    EXPECT_FALSE(is_wandb_chart(parse_csv_table("a\n1\n", "f.csv")));
}

TEST(MlflowExport, IsKnownByItsColumns) {
    EXPECT_TRUE(is_mlflow_export(parse_csv_table("run_id,metrics.loss\na,3\n", "f.csv")));
    EXPECT_FALSE(is_mlflow_export(parse_csv_table("run_id,loss\na,3\n", "f.csv")));
}

}  // namespace
}  // namespace loglog
