#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "db/files/publish.hpp"
#include "db/registry/registry.hpp"
#include "engine/base/error.hpp"
#include "tests/db/registry/sample_record.hpp"
#include "tests/support/temporary_folder.hpp"

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RunQueryTest : public ::testing::Test {
  protected:
    RunQueryTest() {
        Registry registry = Registry::open(folder_.path(), Access::write);
        for (int n = 1; n <= 4; ++n) {
            RunRecord record = sample_record(n);
            record.layers = n;
            record.attention = n % 2 == 0 ? "dense" : "window";
            record.final_val_loss = 5.0 - n;
            if (n == 3) { record.final_val_loss.reset(); }
            registry.upsert(record);
        }
    }

    std::vector<std::string> ids(const RunQuery& query) const {
        std::vector<std::string> found;
        const Table table = Registry::open(folder_.path(), Access::read).query(query);
        const std::size_t id = table.column("id");
        for (const auto& row : table.rows) { found.push_back(std::get<std::string>(row[id])); }
        return found;
    }

    std::string refusal(const RunQuery& query, Access access = Access::read) const {
        try {
            Registry::open(folder_.path(), access).query(query);
        } catch (const InputError& error) { return error.what(); }
        return "it was not refused";
    }

    TemporaryFolder folder_;
};

TEST_F(RunQueryTest, TakesAnyExpressionOverTheColumns) {
    EXPECT_THAT(ids({.where = "layers = 4 and (final_val_loss < 2.5 or attention = 'dense')"}), ElementsAre("run004"));
    EXPECT_THAT(ids({.where = "attention = 'window' or layers > 3"}), ElementsAre("run001", "run003", "run004"));
    EXPECT_THAT(ids({.where = "final_val_loss is null"}), ElementsAre("run003"));
    EXPECT_THAT(ids({.where = "spec ->> '$.model.width' = 2"}), ElementsAre("run002"));
    EXPECT_THAT(ids({.where = "final_val_loss = (select min(final_val_loss) from runs)"}), ElementsAre("run004"));
    EXPECT_THAT(ids({.where = "id in (select id from runs where layers between 2 and 3)"}),
                ElementsAre("run002", "run003"));
    EXPECT_THAT(ids({.where = "exists (select 1 from json_each(spec, '$.train') where key = 'lr') and layers = 1"}),
                ElementsAre("run001"));
    EXPECT_THAT(ids({.where = "tags like '%blue%' and log10(flops) > 0 and layers < 2"}), ElementsAre("run001"));
    EXPECT_THAT(ids({.where = "(select count(*) from runs) = 4 and layers = 1"}), ElementsAre("run001"));
    EXPECT_EQ(ids({}).size(), 4u);
}

TEST_F(RunQueryTest, SortsWithUnknownValuesLast) {
    EXPECT_THAT(ids({.sort = "final_val_loss"}), ElementsAre("run004", "run002", "run001", "run003"));
    EXPECT_THAT(ids({.sort = "final_val_loss:desc"}), ElementsAre("run001", "run002", "run004", "run003"));
    EXPECT_THAT(ids({.sort = "attention,layers:desc", .limit = 3}), ElementsAre("run004", "run002", "run003"));
    EXPECT_THAT(ids({.limit = 0}), ElementsAre());
}

TEST_F(RunQueryTest, GivesTheColumnsAskedForWithTheirTypes) {
    RunQuery query;
    query.columns = {"layers", "final_val_loss", "id"};
    query.where = "layers = 3";

    const Table table = Registry::open(folder_.path(), Access::read).query(query);

    EXPECT_THAT(table.columns, ElementsAre("layers", "final_val_loss", "id"));
    EXPECT_THAT(table.rows, ElementsAre(ElementsAre(Value{std::int64_t{3}}, Value{}, Value{"run003"})));
    EXPECT_THROW(table.column("widht"), InputError);
}

TEST_F(RunQueryTest, NamesTheNearestColumnForASlip) {
    EXPECT_THAT(refusal({.where = "layrs = 4"}), HasSubstr("no such column: layrs (did you mean 'layers'?)"));
    EXPECT_THAT(refusal({.where = "layrs = 4"}), HasSubstr("--where \"layrs = 4\""));
    EXPECT_THAT(refusal({.columns = {"final_vall_loss"}}), HasSubstr("did you mean 'final_val_loss'?"));
    EXPECT_THAT(refusal({.sort = "Flops_"}), HasSubstr("did you mean 'flops'?"));
    EXPECT_THAT(refusal({.sort = "flops:down"}), HasSubstr(":asc or :desc"));
    EXPECT_THAT(refusal({.where = "attention = \"dense\""}), HasSubstr("single quotes: 'dense'"));
}

TEST_F(RunQueryTest, InterruptsAQueryThatRunsAway) {
    RunQuery query;
    query.where =
        "(select count(*) from runs a, runs b, runs c, runs d, runs e, runs f, runs g, runs h, runs i, runs j, "
        "runs k, runs l, runs m, runs n) > 0";
    query.time_limit = std::chrono::milliseconds{50};

    EXPECT_THAT(refusal(query), HasSubstr("stopped after 50 ms"));
}

class Attack : public RunQueryTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(Attack, IsRefusedAndChangesNothing) {
    const std::string bytes = read_file(folder_ / "registry.sqlite");
    const auto records = Registry::open(folder_.path(), Access::read).select();

    EXPECT_THAT(refusal({.where = GetParam()}), HasSubstr("--where"));
    EXPECT_TRUE(read_file(folder_ / "registry.sqlite") == bytes);

    EXPECT_THAT(refusal({.where = GetParam()}, Access::write), HasSubstr("--where"));
    EXPECT_EQ(Registry::open(folder_.path(), Access::read).select(), records);
}

INSTANTIATE_TEST_SUITE_P(
    Expressions, Attack,
    ::testing::Values("1); drop table runs; --", "1); drop table run; --", "1); delete from run; select (1",
                      "1) union select * from sqlite_master where (1", "1) or (1", "1 /* */", "1 --", "1;", ";",
                      "id in (select name from sqlite_master)", "id in (select sql from sqlite_schema)",
                      "(select max(state) from run) > ''", "(select max(tag) from run_tag) > ''",
                      "(select count(*) from schema_migration) > 0",
                      "(select count(*) from pragma_table_info('run')) > 0",
                      "(select file from pragma_database_list) is not null", "load_extension('evil.so')",
                      "writefile('/tmp/x', 'y')", "readfile('/etc/passwd')", "randomblob(1000000000) is not null",
                      "zeroblob(2000000000) is not null", "printf('%2000000000d', 1) is not null",
                      "(with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c) > 0",
                      "sqlite_version() = '3'", "fts3_tokenizer('a') is not null", "?", ":name = 1", "layers = ?1",
                      "1, 2", "1 order by 1", "1 limit 1", "select 1; select 2", "insert into run (id) values ('x')",
                      "(insert into run (id) values ('x'))", "pragma user_version = 7", "attach 'x' as y", "layers = (",
                      "nosuchfunction(1)", "'open", "layers ="));

}  // namespace
}  // namespace loglog
