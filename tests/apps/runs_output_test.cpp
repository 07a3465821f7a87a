#include "apps/loglog/runs_output.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Table sample_table() {
    return {{"id", "tokens", "name"},
            {{Value{"a"}, Value{std::int64_t{1'234'567}}, Value{"first"}}, {Value{"bb"}, Value{}, Value{"x, \"y\""}}}};
}

TEST(RowsAsText, AlignsColumnsAndRoundsCounts) {
    EXPECT_EQ(rows_as_text(sample_table(), 0),
              "id  tokens  name\n"
              "a    1.23M  first\n"
              "bb       -  x, \"y\"\n");
}

TEST(RowsAsText, LeavesOutColumnsThatDoNotFit) {
    EXPECT_EQ(rows_as_text(sample_table(), 12), "id  tokens\na    1.23M\nbb       -\n");
    EXPECT_EQ(rows_as_text(sample_table(), 1), "id\na\nbb\n") << "the first column always stays";
}

TEST(WithoutEmptyColumns, KeepsThoseWithAnyValue) {
    const Table table{
        {"id", "sweep", "tags", "heads"},
        {{Value{"a"}, Value{}, Value{""}, Value{}}, {Value{"b"}, Value{}, Value{""}, Value{std::int64_t{2}}}}};

    EXPECT_THAT(without_empty_columns(table).columns, ElementsAre("id", "heads"));
    EXPECT_EQ(without_empty_columns(table).rows[1][1], Value{std::int64_t{2}});
}

TEST(RowsAsCsv, QuotesWhatNeedsIt) {
    EXPECT_EQ(rows_as_csv(sample_table()), "id,tokens,name\na,1234567,first\nbb,,\"x, \"\"y\"\"\"\n");
}

TEST(ValueAsText, ShowsEachKindOfNumberAsPeopleReadIt) {
    EXPECT_EQ(value_as_text("flops", Value{1.5e12}), "1.5T");
    EXPECT_EQ(value_as_text("tokens", Value{std::int64_t{999}}), "999");
    EXPECT_EQ(value_as_text("tokens", Value{std::int64_t{999'999}}), "1M");
    EXPECT_EQ(value_as_text("layers", Value{std::int64_t{1200}}), "1200");
    EXPECT_EQ(value_as_text("final_val_loss", Value{2.0}), "2.0000");
    EXPECT_EQ(value_as_text("share_of_peak", Value{0.4215}), "42.1%");
    EXPECT_EQ(value_as_text("lr", Value{4e-3}), "0.004");
    EXPECT_EQ(value_as_text("lr", Value{}), "-");
}

TEST(Differences, AreEmptyForTheSameRun) {
    RunRecord run;
    run.spec = R"({"a": 1})";
    const std::vector<RunRecord> same{run, run};

    EXPECT_THAT(differences(same), IsEmpty());
}

TEST(Differences, NameKeysThatOnlyOneSpecificationHas) {
    RunRecord one, other;
    one.spec = R"({"model": {"attention": {"kind": "dense"}}})";
    other.spec = R"({"model": {"attention": {"kind": "dense", "every": 4}}})";
    const std::vector<RunRecord> runs{one, other};

    const auto found = differences(runs);

    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].name, "spec.model.attention.every");
    EXPECT_THAT(found[0].values, ElementsAre("null", "4"));
}

}  // namespace
}  // namespace loglog
