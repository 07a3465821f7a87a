#include "db/import/imported_runs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "db/import/csv_table.hpp"
#include "db/import/json_lines.hpp"
#include "db/import/quantities.hpp"
#include "db/import/tracker_exports.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const ImportOrigin origin{"f.csv", "csv", "hash"};

ImportedTable import_csv(const std::string& text, const ImportOptions& options = {}) {
    return import_runs(parse_csv_table(text, "f.csv"), options, origin);
}

std::string refusal(const std::string& text, const ImportOptions& options = {}) {
    try {
        import_csv(text, options);
    } catch (const InputError& error) { return error.what(); }
    return "it was not refused";
}

TEST(ImportedRuns, TakesARowAsARunByUsualNames) {
    const auto imported =
        import_csv("name,params,tokens,flops,val_loss,seed,peak_lr,excluded\nsmall,1e6,20000000,1.2e14,3.5,7,1e-3,0\n");

    ASSERT_EQ(imported.runs.size(), 1u);
    const RunRecord& run = imported.runs[0].record;
    EXPECT_EQ(run.name, "small");
    EXPECT_EQ(run.family, "external");
    EXPECT_EQ(run.state, RunState::ok);
    EXPECT_EQ(run.non_embedding_params, 1'000'000);
    EXPECT_EQ(run.tokens, 20'000'000);
    EXPECT_EQ(run.flops, 1.2e14);
    EXPECT_EQ(run.final_val_loss, 3.5);
    EXPECT_EQ(run.seed, 7);
    EXPECT_EQ(run.lr, 1e-3);
    EXPECT_FALSE(run.final_train_loss || run.total_params || run.steps || run.best_val_loss);
    const json spec = json::parse(run.spec);
    EXPECT_EQ(spec["columns"], json::parse(R"({"excluded": 0.0})"));
    EXPECT_EQ(spec["import"]["file"], "f.csv");
    EXPECT_EQ(spec["import"]["place"], "line 2");
    EXPECT_EQ(spec["import"]["quantities"]["N"],
              json::parse(R"({"column":"params","stored_as":"non_embedding_params"})"));
    EXPECT_TRUE(imported.runs[0].curve.empty());
}

TEST(ImportedRuns, InventNothing) {
    const RunRecord run = import_csv("N,loss\n1000000,3.5\n").runs[0].record;

    EXPECT_FALSE(run.tokens || run.flops || run.flops_6nd || run.total_params);
    EXPECT_FALSE(import_csv("N,D,loss\n1000000,20000000,3.5\n").runs[0].record.flops);
}

TEST(ImportedRuns, TakeSixNDForComputeOnlyWhenAsked) {
    const RunRecord run = import_csv("N,D,loss\n1000000,20000000,3.5\n", {.compute_6nd = true}).runs[0].record;

    EXPECT_EQ(run.flops, 6.0 * 1e6 * 2e7);
    EXPECT_EQ(json::parse(run.spec)["import"]["quantities"]["C"]["computed"], "6nd");
    EXPECT_THAT(refusal("N,D,C,loss\n1000000,20000000,1e14,3.5\n", {.compute_6nd = true}),
                HasSubstr("--compute 6nd, but the file has C"));
}

TEST(ImportedRuns, AreScaledOnlyWhenAsked) {
    const std::string text = "N,D,loss\n70,1.4,3.5\n";

    EXPECT_THAT(refusal(text), HasSubstr("line 2, column 'D': found '1.4', wanted D as a whole number"));
    EXPECT_THAT(refusal("N,D,loss\n70,1400000000,3.5\n"), HasSubstr("the largest N is 70"));
    const RunRecord run = import_csv(text, {.scales = {{"N", 1e6}, {"D", 1e9}}}).runs[0].record;
    EXPECT_EQ(run.non_embedding_params, 70'000'000);
    EXPECT_EQ(run.tokens, 1'400'000'000);
    EXPECT_EQ(import_csv("N,loss\n70,3.5\n", {.scales = {{"N", 1}}}).runs[0].record.non_embedding_params, 70);
    EXPECT_THAT(refusal("N,loss\n1e6,3\n", {.scales = {{"D", 1e9}}}), HasSubstr("--scale D: no column holds D"));
}

TEST(ImportedRuns, RefuseUnitsThatContradictEachOther) {
    // The second row has N in millions.
    EXPECT_THAT(refusal("N,D,C,loss\n1e7,2e8,1.2e16,3.5\n20,4e8,4.8e16,3.4\n"),
                AllOf(HasSubstr("1 problem"), HasSubstr("line 3: C = 4.8e+16 is 1e+06 times 6 N D")));
    EXPECT_THAT(refusal("N,D,loss\n1e9,200000,3.5\n2e9,400000,3.4\n"), HasSubstr("tokens per parameter"));
}

TEST(ImportedRuns, TellAllProblemsWithLineColumnAndNearestName) {
    EXPECT_THAT(refusal("N,D,loss\n1e7,x,3.5\n-1e7,2e8,0\n"),
                AllOf(HasSubstr("f.csv: 3 problems"), HasSubstr("line 2, column 'D': found 'x', wanted a number for D"),
                      HasSubstr("line 3, column 'N': found '-1e7', wanted N as a whole number above 0"),
                      HasSubstr("line 3, column 'loss': found '0', wanted a loss above 0")));
    EXPECT_THAT(refusal("N,D,los\n1e7,2e8,3\n", {.columns = {{"loss", "loss"}}}),
                AllOf(HasSubstr("no column 'loss' (did you mean 'los'?)"), HasSubstr("the columns are N, D, los")));
    EXPECT_THAT(refusal("N,D,quality\n1e7,2e8,3\n"), HasSubstr("no column holds a loss"));
}

TEST(ImportedRuns, TellProblemsOfRowsBesideLinesThatAreNone) {
    const auto problems_of = [](const ImportTable& table) -> std::string {
        try {
            import_runs(table, {}, origin);
        } catch (const InputError& error) { return error.what(); }
        return "it was not refused";
    };

    EXPECT_THAT(refusal("N,loss\n1e6\nx,3\n1e6,3\n"),
                AllOf(HasSubstr("f.csv: 2 problems"), HasSubstr("line 2: found 1 cells, wanted 2"),
                      HasSubstr("line 3, column 'N': found 'x'")));
    EXPECT_THAT(problems_of(parse_json_lines("{\"N\": 1e7, \"loss\": 3}\n[1]\n{\"N\": \"x\", \"loss\": 3}\n", "f")),
                AllOf(HasSubstr("f: 2 problems"), HasSubstr("line 2: found array"),
                      HasSubstr("line 3, column 'N': found 'x'")));
    EXPECT_THAT(problems_of(rows_of_wandb_chart(parse_csv_table("Step,a - loss\n1,3\n2\n3,x\n", "f"))),
                AllOf(HasSubstr("line 3: found 1 cells"), HasSubstr("line 4, column 'loss': found 'x'")));
}

TEST(ImportedRuns, NameTheColumnThatIsNearestToALoss) {
    EXPECT_THAT(refusal("params,lss\n1e7,3\n"), HasSubstr("no column holds a loss (did you mean 'lss'?); the columns"));
    EXPECT_THAT(refusal("params,metrics.Val/los\n1e7,3\n"), HasSubstr("(did you mean 'metrics.Val/los'?)"));
    EXPECT_THAT(refusal("params,quality\n1e7,3\n"), HasSubstr("no column holds a loss; the columns"));
}

TEST(ImportedRuns, DivergeWithALossThatIsNoNumber) {
    const auto imported = import_csv("name,N,loss\na,1e6,nan\nb,1e6,inf\nc,1e6,\n");

    ASSERT_EQ(imported.runs.size(), 3u);
    EXPECT_EQ(imported.runs[0].record.state, RunState::diverged);
    EXPECT_EQ(imported.runs[0].record.state_reason, "its loss is nan");
    EXPECT_FALSE(imported.runs[0].record.final_val_loss);
    EXPECT_EQ(imported.runs[1].record.state, RunState::diverged);
    EXPECT_EQ(imported.runs[2].record.state, RunState::ok);
}

TEST(ImportedRuns, TakeTheStateThatTheFileGives) {
    const auto imported = import_csv("Name,State,N,loss\na,finished,1e6,3\nb,crashed,1e6,4\nc,running,1e6,5\n");

    EXPECT_EQ(imported.runs[0].record.state, RunState::ok);
    EXPECT_EQ(imported.runs[1].record.state, RunState::failed);
    EXPECT_EQ(imported.runs[1].record.state_reason, "'crashed' in the imported file");
    EXPECT_EQ(imported.runs[2].record.state, RunState::stopped);
    const auto other = import_csv("name,state,N,loss\na,Texas,1e6,3\n");
    EXPECT_EQ(other.runs[0].record.state, RunState::ok);
    EXPECT_THAT(other.notes, Contains(HasSubstr("'Texas'")));
    EXPECT_THAT(refusal("name,state,N,loss\na,Texas,1e6,3\n", {.columns = {{"state", "state"}}}),
                HasSubstr("line 2, column 'state': found 'Texas'"));
}

TEST(ImportedRuns, RefuseAnUnknownStateBesideKnownOnes) {
    const std::string text = "name,state,N,loss\na,finished,1e6,3\nb,weird,1e6,4\nc,crashed,1e6,5\n";

    EXPECT_THAT(refusal(text), AllOf(HasSubstr("1 problem"), HasSubstr("line 3, column 'state': found 'weird'")));
    for (const ImportedRun& run : import_csv(text, {.values = {{"state", "ok"}}}).runs) {
        EXPECT_EQ(run.record.state, RunState::ok);
    }
}

TEST(ImportedRuns, HaveIdsOfTheirContent) {
    const auto first = import_csv("N,D,loss\n1e6,2e7,3.5\n1e6,2e7,3.25\n1e6,2e7,3.5\n");
    const auto same = import_csv("# elsewhere\nloss,params,tokens\n3.5,1000000,20000000\n");

    ASSERT_EQ(first.runs.size(), 2u);
    EXPECT_NE(first.runs[0].record.id, first.runs[1].record.id);
    EXPECT_EQ(first.runs[0].record.id, same.runs[0].record.id);
    EXPECT_EQ(first.runs[0].record.id.size(), 12u);
    EXPECT_THAT(first.notes, Contains("line 4 is the same run as line 2: taken once"));
}

TEST(ImportedCurves, AreGroupedByRunAndOrderedByStep) {
    const auto imported = import_csv(
        "run,step,N,train_loss,val_loss,lr,tokens\n"
        "a,20,1e6,3.25,,1e-3,2e6\nb,10,2e6,3.5,3.75,5e-4,1e6\na,10,1e6,3.5,,5e-4,1e6\na,20,,,3.375,,\n");

    ASSERT_EQ(imported.runs.size(), 2u);
    const ImportedRun& run = imported.runs[0];
    EXPECT_THAT(run.curve, ElementsAre(ImportedPoint{10, {}, 3.5, 5e-4, 1e6, {}, {}},
                                       ImportedPoint{20, 3.375, 3.25, 1e-3, 2e6, {}, {}}));
    EXPECT_EQ(run.record.name, "a");
    EXPECT_EQ(run.record.non_embedding_params, 1'000'000);
    EXPECT_EQ(run.record.tokens, 2'000'000);
    EXPECT_EQ(run.record.steps, 20);
    EXPECT_EQ(run.record.lr, 1e-3);
    EXPECT_EQ(run.record.final_train_loss, 3.25);
    EXPECT_EQ(run.record.final_val_loss, 3.375);
    EXPECT_EQ(imported.runs[1].record.final_val_loss, 3.75);
}

TEST(ImportedCurves, StandAtTheirLastEvaluation) {
    const std::string text =
        "run,step,tokens,seconds,val_loss,train_loss,lr\n"
        "a,100,1e8,10,,4,1e-3\na,101,,,3.75,,\na,200,2e8,20,,3.5,2e-3\na,201,,,nan,,\na,201,,,,,\n"
        "b,100,1e8,10,3.875,4,1e-3\nb,200,2e8,20,,3.5,2e-3\nb,300,3e8,30,,3.25,5e-4\n";
    const ImportOptions options{.values = {{"N", "1e7"}}, .compute_6nd = true};

    const auto imported = import_csv(text, options);

    const RunRecord& early = imported.runs[1].record;
    EXPECT_EQ(early.final_val_loss, 3.875);
    EXPECT_EQ(early.final_train_loss, 4);
    EXPECT_EQ(early.steps, 100);
    EXPECT_EQ(early.tokens, 100'000'000);
    EXPECT_EQ(early.flops, 6.0 * 1e7 * 1e8);
    EXPECT_EQ(early.seconds, 10);
    EXPECT_EQ(early.lr, 2e-3);  // the largest
    EXPECT_EQ(imported.runs[1].curve.size(), 3u);
    EXPECT_EQ(imported.runs[1].curve[2].tokens, 3e8);
    // A tracker gives the evaluation a step of its own, with no count of tokens.
    EXPECT_EQ(imported.runs[0].record.tokens, 200'000'000);
    EXPECT_THAT(imported.notes, Contains("in 1 of 2 runs the last evaluation comes before the last step ('b': step 100 "
                                         "of 300): losses, steps, D and C are taken there"));
}

TEST(ImportedCurves, KeepADThatIsStatedForTheWholeRun) {
    const auto imported = import_csv("run,step,D,val_loss,train_loss\na,1,3e8,4,4\na,2,3e8,3.5,3.5\na,3,3e8,,3.25\n");
    const auto counted =
        import_csv("run,step,val_loss,train_loss\na,1,4,4\na,2,3.5,3.5\na,3,,3.25\n", {.values = {{"batch", "1e6"}}});

    EXPECT_EQ(imported.runs[0].record.tokens, 300'000'000);
    EXPECT_EQ(imported.runs[0].record.steps, 2);
    EXPECT_THAT(imported.notes, Contains(HasSubstr("are taken there, but D as stated for the whole run")));
    EXPECT_EQ(counted.runs[0].record.tokens, 2'000'000);
    EXPECT_EQ(counted.runs[0].curve[2].tokens, 3e6);
}

TEST(ImportedCurves, TakeAPlainLossForBothKindsAndSaySo) {
    const auto imported = import_csv("run,step,loss\na,1,3.5\na,2,3.25\n");

    EXPECT_EQ(imported.runs[0].record.final_val_loss, 3.25);
    EXPECT_EQ(imported.runs[0].record.final_train_loss, 3.25);
    EXPECT_THAT(imported.notes, Contains(HasSubstr("taken for both")));
    const auto training = import_csv("run,step,train_loss\na,1,3.5\n");
    EXPECT_FALSE(training.runs[0].record.final_val_loss);
    EXPECT_THAT(training.notes, Contains(HasSubstr("say --map loss=COLUMN")));
}

TEST(ImportedCurves, RefuseRowsThatContradictEachOther) {
    EXPECT_THAT(refusal("run,step,N,loss\na,1,1e6,3\na,2,2e6,3\na,2,2e6,2.5\n,3,1e6,2\n"),
                AllOf(HasSubstr("3 problems"),
                      HasSubstr("line 3, column 'N': found '2e6' but '1e6' before it in the same run 'a'"),
                      HasSubstr("line 4, column 'loss': found 2.5 but 3 before it for the same run and step"),
                      HasSubstr("line 5, column 'run': found nothing, wanted the run's name")));
}

TEST(ImportedCurves, AskOnceForTheRunWhereNoColumnNamesIt) {
    const std::string told = refusal("size,step,N,loss\n25,1,1e6,3\n25,2,1e6,2\n100,1,2e6,4\n100,2,2e6,3\n");

    EXPECT_THAT(told, AllOf(HasSubstr("1 problem"), HasSubstr("line 4"), HasSubstr("say --map run=COLUMN")));
}

TEST(ImportedCurves, KeepTheLastBitsPerByteAndNoColumnThatVaries) {
    const auto imported = import_csv("run,step,loss,bpb,gpu_load,cluster\na,1,3,1.5,0.5,x\na,2,2.5,1.25,0.75,x\n");

    EXPECT_EQ(imported.runs[0].record.bits_per_byte, 1.25);
    EXPECT_EQ(json::parse(imported.runs[0].record.spec)["columns"], json::parse(R"({"cluster": "x"})"));
}

TEST(ImportedCurves, HaveIdsThatDoNotDependOnTheFilesName) {
    const ImportTable table = parse_csv_table("step,loss\n1,3\n", "a.csv");

    const auto first = import_runs(table, {}, {"a.csv", "csv", "x"}).runs[0].record;
    const auto second = import_runs(table, {}, {"b.csv", "csv", "y"}).runs[0].record;

    EXPECT_EQ(first.id, second.id);
    EXPECT_EQ(first.name, "a");
    EXPECT_EQ(second.name, "b");
}

TEST(ImportedCurves, AreNamedBySeveralColumns) {
    const auto imported = import_csv("size,schedule,step,loss\n25,wsd,1,3\n25,cosine,1,4\n25,wsd,2,2\n",
                                     {.columns = {{"run", "size,schedule"}}});

    ASSERT_EQ(imported.runs.size(), 2u);
    EXPECT_EQ(imported.runs[0].record.name, "25 / wsd");
    EXPECT_EQ(imported.runs[0].curve.size(), 2u);
}

TEST(ImportedCurves, CountTokensFromTheBatchOnlyWhereThereIsOne) {
    const auto imported = import_csv("step,loss\n1,3\n2,2.5\n", {.values = {{"batch", "1e6"}, {"N", "5e6"}}});

    EXPECT_EQ(imported.runs[0].record.name, "f");
    EXPECT_EQ(imported.runs[0].record.tokens, 2'000'000);
    EXPECT_EQ(imported.runs[0].curve[0].tokens, 1e6);
    EXPECT_EQ(imported.runs[0].record.non_embedding_params, 5'000'000);
    EXPECT_FALSE(import_csv("step,loss\n1,3\n").runs[0].record.tokens);
}

TEST(ImportedCurves, DivergeWhereTheLastLossIsNaN) {
    const auto imported = import_csv("run,step,loss\na,1,3\na,2,nan\nb,1,nan\nb,2,3\n");

    EXPECT_EQ(imported.runs[0].record.state, RunState::diverged);
    EXPECT_EQ(imported.runs[0].record.state_reason, "its loss is nan at step 2");
    EXPECT_FALSE(imported.runs[0].record.final_val_loss);
    EXPECT_EQ(imported.runs[0].record.best_val_loss, 3);
    EXPECT_EQ(imported.runs[1].record.state, RunState::ok);
}

TEST(ImportedMlflow, TakesParametersMetricsAndTags) {
    const auto imported = import_csv(
        "run_id,status,start_time,end_time,params.n_params,params.lr,metrics.val_loss,tags.mlflow.runName,tags.user\n"
        "0a1b,FINISHED,2025-03-01 12:30:00.123000+00:00,2025-03-01 13:30:00+00:00,1e6,0.001,3.5,brave-fox,me\n");

    const RunRecord& run = imported.runs[0].record;
    EXPECT_EQ(run.name, "brave-fox");
    EXPECT_EQ(run.non_embedding_params, 1'000'000);
    EXPECT_EQ(run.final_val_loss, 3.5);
    EXPECT_EQ(run.created_at, "2025-03-01T12:30:00Z");
    EXPECT_EQ(run.finished_at, "2025-03-01T13:30:00Z");
    EXPECT_EQ(json::parse(run.spec)["columns"], json::parse(R"({"tags.user": "me"})"));
}

TEST(ImportQuantity, IsNamedOrTheNearestSaid) {
    EXPECT_EQ(find_import_quantity("train_loss").stored_as, "final_train_loss");
    try {
        find_import_quantity("sede");
        FAIL();
    } catch (const InputError& error) { EXPECT_THAT(error.what(), HasSubstr("did you mean 'seed'?")); }
}

TEST(ImportTimes, AreUtcOrNothing) {
    EXPECT_EQ(utc_time_of("1700000000"), "2023-11-14T22:13:20Z");
    EXPECT_EQ(utc_time_of("1700000000000"), "2023-11-14T22:13:20Z");
    EXPECT_EQ(utc_time_of("2025-03-01T12:30:00Z"), "2025-03-01T12:30:00Z");
    EXPECT_FALSE(utc_time_of("2025-03-01T12:30:00+02:00"));
    EXPECT_FALSE(utc_time_of("yesterday"));
    EXPECT_FALSE(utc_time_of("12"));
}

}  // namespace
}  // namespace loglog
