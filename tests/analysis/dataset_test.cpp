#include "analysis/fit/dataset.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <functional>
#include <sstream>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Dataset read(const std::string& text) {
    std::istringstream in{text};
    return read_csv(in, "t.csv");
}

std::string message_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const InputError& error) { return error.what(); }
    return "no error";
}

TEST(ReadCsv, SkipsCommentsAndEmptyLinesAndUnquotesCells) {
    const Dataset data = read("# source\n\nN,D,\"a, name\"\r\n1e6,2e7,\"x \"\"y\"\"\"\n# in between\n2e6 , 3e7,z\n");

    EXPECT_THAT(data.columns, ElementsAre("N", "D", "a, name"));
    EXPECT_THAT(data.rows[0], ElementsAre("1e6", "2e7", "x \"y\""));
    EXPECT_THAT(data.rows[1], ElementsAre("2e6", "3e7", "z"));
    EXPECT_THAT(data.row_names, ElementsAre("line 4", "line 6"));
}

TEST(ReadCsv, ReportsEveryMalformedRowAtOnce) {
    const std::string message = message_of([] { read("N,D\n1,2\n3\n4,5,6\n\"7,8\n"); });

    EXPECT_THAT(message, AllOf(HasSubstr("t.csv: 3 problems"), HasSubstr("line 3: found 1 cells, wanted 2 (N, D)"),
                               HasSubstr("line 4: found 3 cells"), HasSubstr("line 5: a quoted cell is not closed")));
}

TEST(ReadCsv, RefusesATableWithoutHeaderRowsOrDistinctNames) {
    EXPECT_THAT(message_of([] { read("# nothing\n"); }), HasSubstr("no header line"));
    EXPECT_THAT(message_of([] { read("N,D\n"); }), HasSubstr("no rows"));
    EXPECT_THAT(message_of([] { read("N,N\n1,2\n"); }), HasSubstr("'N' appears twice"));
    EXPECT_THAT(message_of([] { read_csv(std::filesystem::path{"/nonexistent.csv"}); }), HasSubstr("cannot be read"));
}

TEST(Filter, TakesAnySqlExpressionOverTheColumns) {
    const Dataset data = read("N,loss,kind\n1e6,3.5,dense\n2e6,3.1,\n4e6,2.9,dense\n");

    EXPECT_THAT(filter(data, "loss < 3.2").row_names, ElementsAre("line 3", "line 4"));
    EXPECT_THAT(filter(data, "kind = 'dense' and N >= 2e6").row_names, ElementsAre("line 4"));
    EXPECT_THAT(filter(data, "kind is null -- a remark").row_names, ElementsAre("line 3"));
}

TEST(Filter, RefusesWhatIsNoReadOnlyExpression) {
    const Dataset data = read("N,loss\n1e6,3.5\n");

    for (const char* where :
         {"1); drop table data; --", "loss >", "1; select 1", "load_extension('x')", "missing = 1"}) {
        EXPECT_THAT(message_of([&] { filter(data, where); }), HasSubstr("is not an expression")) << where;
    }
    EXPECT_THAT(message_of([&] { filter(data, "missing = 1"); }), HasSubstr("the columns are N, loss"));
    EXPECT_THAT(message_of([&] { filter(data, "loss > 9"); }), HasSubstr("selects none of the 1 rows"));
}

TEST(FindColumn, KnowsTheUsualNamesAndMappings) {
    const Dataset data = read("params,tokens,flops,val\n1,2,3,4\n");

    EXPECT_EQ(find_column(data, "N", {}), 0u);
    EXPECT_EQ(find_column(data, "D", {}), 1u);
    EXPECT_EQ(find_column(data, "C", {}), 2u);
    EXPECT_EQ(find_column(data, "loss", {{"loss", "val"}}), 3u);
    EXPECT_FALSE(has_column(data, "loss", {}));
}

TEST(FindColumn, NamesTheNearestColumnWhereOneIsMissing) {
    const Dataset data = read("N,D,lossy\n1,2,3\n");

    EXPECT_THAT(message_of([&] { find_column(data, "loss", {}); }),
                AllOf(HasSubstr("no column 'loss'"), HasSubstr("did you mean 'lossy'?"), HasSubstr("N, D, lossy")));
}

TEST(FindColumn, SuggestsColumnsThatHoldTheNameAsAPartAndNoneOfAnotherQuantity) {
    const auto message = [](const std::string& header, const std::string& quantity) {
        const auto cells = std::count(header.begin(), header.end(), ',');
        std::string row = "1";
        for (int i = 0; i < cells; ++i) { row += ",1"; }
        return message_of([&] { find_column(read(header + "\n" + row + "\n"), quantity, {}); });
    };

    EXPECT_THAT(message("N_nonembed,N_total,D,loss", "N"), HasSubstr("did you mean 'N_nonembed' or 'N_total'?"));
    EXPECT_THAT(message("D,flops,loss_c4", "loss"), HasSubstr("did you mean 'loss_c4'?"));
    EXPECT_THAT(message("n,D", "N"), HasSubstr("did you mean 'n'?"));
    for (const char* quantity : {"run", "lr", "C"}) {
        EXPECT_THAT(message("N,D,loss,L", quantity), Not(HasSubstr("did you mean"))) << quantity;
    }
    EXPECT_THAT(message("N,D,flops", "loss"), Not(HasSubstr("did you mean")));
}

TEST(ReadCsv, SaysThatCommasAreWanted) {
    EXPECT_THAT(message_of([] { read("N;D;loss\n1;2;3\n"); }), HasSubstr("separated by semicolons, but commas"));
    EXPECT_THAT(message_of([] { read("N\tD\tloss\n1\t2\t3\n"); }), HasSubstr("separated by tabs, but commas"));
}

TEST(PositiveColumns, ReportsEveryBadCellWithItsRow) {
    const Dataset data = read("N,loss\n1e6,3\n0,2\nx,nan\n2e6,-1\n");

    const std::string message = message_of([&] { positive_columns(data, {0, 1}); });

    EXPECT_THAT(message,
                AllOf(HasSubstr("4 problems"), HasSubstr("line 3: column 'N' holds '0'"),
                      HasSubstr("line 4: column 'N' holds 'x'"), HasSubstr("line 4: column 'loss' holds 'nan'"),
                      HasSubstr("line 5: column 'loss' holds '-1'"), Not(HasSubstr("line 2"))));
}

}  // namespace
}  // namespace loglog
