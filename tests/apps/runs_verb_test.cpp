#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "apps/loglog/verbs.hpp"
#include "db/files/publish.hpp"
#include "db/registry/registry.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/run_folder.hpp"
#include "tests/support/temporary_folder.hpp"

namespace loglog {

std::string registry_folder(const std::string& option) { return option; }

namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class RunsVerb : public ::testing::Test {
  protected:
    void add_run(const std::string& id, int width, const std::string& attention, double loss) {
        RunRecord plan;
        plan.id = id;
        plan.sweep = "quickstart";
        plan.layers = 4;
        plan.width = width;
        plan.attention = attention;
        plan.spec = json{{"model", {{"width", width}}}, {"train", {{"batch_tokens", 8192}}}}.dump();
        Registry registry = Registry::open(folder_.path(), Access::write);
        create_run_folder(folder_.path(), plan, "{}");
        LiveRun run = LiveRun::open(run_folder(folder_.path(), id), 0);
        StepLine step;
        step.step = 1;
        step.loss = loss;
        step.tokens = 8192;
        run.journal().write(step);
        run.journal().write(EvalLine{1, 8192, loss, loss / 2, 1, {}});
        registry.upsert(run.close({}));
    }

    void add_three_runs() {
        add_run("3f2a9c01d4be", 64, "dense", 2.25);
        add_run("3f77aa01d4be", 128, "dense", 2.0);
        add_run("8bb0771e52aa", 64, "window", 0.1 + 0.2);
    }

    /// What `loglog runs ARGUMENTS --registry FOLDER` prints.
    std::string run(std::vector<std::string> arguments) {
        CLI::App app;
        Program program;
        add_runs_verb(app, program);
        arguments.insert(arguments.begin(), "runs");
        arguments.insert(arguments.end(), {"--registry", folder_.path().string()});
        std::reverse(arguments.begin(), arguments.end());
        ::testing::internal::CaptureStdout();
        try {
            app.parse(arguments);
        } catch (...) {
            ::testing::internal::GetCapturedStdout();
            throw;
        }
        exit_status_ = program.exit_status;
        return ::testing::internal::GetCapturedStdout();
    }

    json run_json(std::vector<std::string> arguments) {
        arguments.emplace_back("--json");
        return json::parse(run(std::move(arguments)));
    }

    std::string refusal(const std::vector<std::string>& arguments) {
        try {
            run(arguments);
        } catch (const InputError& error) { return error.what(); }
        return "it was not refused";
    }

    TemporaryFolder folder_;
    int exit_status_ = 0;
};

TEST_F(RunsVerb, ListsEveryColumnAsJson) {
    add_three_runs();

    const json runs = run_json({"list", "--sort", "width:desc,final_val_loss"});

    ASSERT_EQ(runs.size(), 3u);
    EXPECT_EQ(runs[0].size(), run_columns().size());
    EXPECT_EQ(runs[0]["id"], "3f77aa01d4be");
    EXPECT_EQ(runs[1]["final_val_loss"], 0.1 + 0.2);
    EXPECT_EQ(runs[0]["spec"]["train"]["batch_tokens"], 8192);
    EXPECT_EQ(runs[0]["tags"], json::array());
    EXPECT_EQ(runs[0]["heads"], nullptr);
}

TEST_F(RunsVerb, FiltersSortsAndLimits) {
    add_three_runs();

    const json runs = run_json({"list", "--where", "layers = 4 and (final_val_loss < 2.1 or attention = 'x')", "--sort",
                                "final_val_loss:desc", "--limit", "1", "--columns", "id,width"});

    EXPECT_EQ(runs, json::parse(R"([{"id": "3f77aa01d4be", "width": 128}])"));
}

TEST_F(RunsVerb, ListsATableForPeople) {
    add_three_runs();

    const std::string text = run({"list", "--where", "width = 128"});

    EXPECT_THAT(text, StartsWith("id            state  attention"));
    EXPECT_THAT(text, HasSubstr("3f77aa01d4be  ok"));
    EXPECT_THAT(text, HasSubstr("8.19k"));
    EXPECT_THAT(text, HasSubstr("2.0000"));
}

TEST_F(RunsVerb, ListsCsvInFull) {
    add_three_runs();

    EXPECT_EQ(run({"list", "--format", "csv", "--columns", "id,final_val_loss,heads,tokens", "--where", "width = 64"}),
              "id,final_val_loss,heads,tokens\n3f2a9c01d4be,2.25,,8192\n8bb0771e52aa,0.30000000000000004,,8192\n");
    EXPECT_THAT(run({"list", "--format", "csv", "--columns", "spec", "--limit", "1"}), HasSubstr("\"{\"\"model\"\""));
}

TEST_F(RunsVerb, IsFriendlyAboutAnEmptyRegistryAndStrictAboutAMissingOne) {
    EXPECT_THAT(refusal({"list"}), HasSubstr("holds no registry"));
    Registry::open(folder_.path(), Access::write);

    EXPECT_THAT(run({"list"}), StartsWith("no runs in "));
    EXPECT_EQ(run_json({"list"}), json::array());
    EXPECT_EQ(exit_status_, 0);
}

TEST_F(RunsVerb, RefusesWhatIsNoExpression) {
    add_three_runs();

    EXPECT_THAT(refusal({"list", "--where", "1); drop table runs; --"}), HasSubstr("closes nothing"));
    EXPECT_THAT(refusal({"list", "--where", "widht > 3"}), HasSubstr("did you mean 'width'?"));
    EXPECT_THAT(refusal({"list", "--format", "xml"}), HasSubstr("table, json and csv"));
    EXPECT_EQ(run_json({"list"}).size(), 3u);
}

TEST_F(RunsVerb, ShowsARunByTheStartOfItsId) {
    add_three_runs();

    const json shown = run_json({"show", "8b"});

    EXPECT_EQ(shown["id"], "8bb0771e52aa");
    EXPECT_EQ(shown["history"][0]["event"], "opened");
    EXPECT_EQ(shown["history"][1]["state"], "ok");
    EXPECT_EQ(shown["path"], (folder_ / "runs/8bb0771e52aa").string());
    EXPECT_THAT(run({"show", "8b"}), HasSubstr("\"batch_tokens\": 8192"));
    EXPECT_THAT(refusal({"show", "3f"}), HasSubstr("stands for 2 runs: 3f2a9c01d4be, 3f77aa01d4be"));
    EXPECT_THAT(refusal({"show", "zz"}), HasSubstr("no run 'zz'"));
}

TEST_F(RunsVerb, ComparesOnlyWhatDiffers) {
    add_three_runs();

    const json compared = run_json({"compare", "3f2", "3f7"});

    EXPECT_EQ(compared["runs"], json({"3f2a9c01d4be", "3f77aa01d4be"}));
    EXPECT_EQ(compared["differences"]["width"], json({64, 128}));
    EXPECT_EQ(compared["differences"]["spec.model.width"], json({64, 128}));
    EXPECT_FALSE(compared["differences"].contains("attention"));
    EXPECT_FALSE(compared["differences"].contains("spec.train.batch_tokens"));
    EXPECT_THAT(run({"compare", "3f2", "8b"}), HasSubstr("attention"));
    EXPECT_THAT(refusal({"compare", "3f2"}), HasSubstr("at least two"));
}

TEST_F(RunsVerb, ExportsRunsAndFullCurves) {
    add_three_runs();

    run({"export", "--out", (folder_ / "runs.csv").string(), "--where", "width = 64"});
    run({"export", "--out", (folder_ / "runs.json").string()});
    run({"export", "--out", (folder_ / "curves.csv").string(), "--curves", "--where", "width = 128"});
    const json curves = json::parse(run({"export", "--out", "-", "--curves", "--format", "json"}));

    EXPECT_THAT(read_file(folder_ / "runs.csv"), StartsWith("id,sweep,name,state,"));
    EXPECT_EQ(json::parse(read_file(folder_ / "runs.json")).size(), 3u);
    EXPECT_THAT(read_file(folder_ / "curves.csv"), HasSubstr("\n3f77aa01d4be,train,1,8192,0,0,2,"));
    EXPECT_THAT(read_file(folder_ / "curves.csv"), HasSubstr("\n3f77aa01d4be,eval,1,8192,,,2,"));
    EXPECT_EQ(curves.size(), 3u);
    EXPECT_EQ(curves[0]["train"]["loss"], json({2.25}));
}

TEST_F(RunsVerb, KeepsTagsInTheFolderAndTheRegistry) {
    add_three_runs();

    EXPECT_EQ(run_json({"tag", "8b", "paper", "good"})["tags"], json({"good", "paper"}));
    run({"tag", "8b", "paper", "--remove"});

    EXPECT_THAT(read_tags(folder_ / "runs/8bb0771e52aa"), ElementsAre("good"));
    EXPECT_EQ(run_json({"list", "--where", "tags = 'good'"}).size(), 1u);
    run({"rebuild"});
    EXPECT_EQ(run_json({"list", "--where", "tags = 'good'"}).size(), 1u);
    EXPECT_THAT(refusal({"tag", "8b", "a,b"}), HasSubstr("cannot be a tag"));
}

TEST_F(RunsVerb, RebuildsAndReports) {
    add_three_runs();
    const json before = run_json({"list"});
    std::filesystem::remove(folder_ / "registry.sqlite");

    const json report = run_json({"rebuild"});

    EXPECT_EQ(report, json::parse(R"({"total": 3, "runs": {"ok": 3}, "unreadable": []})"));
    EXPECT_EQ(run_json({"list"}), before);
    write_file(folder_ / "runs/8bb0771e52aa/run.json", "{", Durability::process);
    EXPECT_EQ(run_json({"rebuild"})["unreadable"].size(), 1u);
    EXPECT_EQ(exit_status_, 3);
}

}  // namespace
}  // namespace loglog
