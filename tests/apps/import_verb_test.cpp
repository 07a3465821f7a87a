#include "apps/loglog/import_verb.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/loglog/verbs.hpp"
#include "db/files/publish.hpp"
#include "db/registry/registry.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/curves.hpp"
#include "experiments/run/rebuild.hpp"
#include "experiments/run/run_folder.hpp"
#include "tests/support/event_file_writer.hpp"
#include "tests/support/temporary_folder.hpp"

namespace loglog {

std::string registry_folder(const std::string& option) { return option; }

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class RunsImport : public ::testing::Test {
  protected:
    std::string write(const std::string& name, const std::string& text) const {
        fs::create_directories((folder_ / name).parent_path());
        write_file(folder_ / name, text, Durability::process);
        return (folder_ / name).string();
    }

    std::string registry() const { return (folder_ / "registry").string(); }

    /// What `loglog runs import ARGUMENTS --registry FOLDER/registry` prints.
    std::string run(std::vector<std::string> arguments) const {
        CLI::App app;
        Program program;
        add_import_verb(app, program);
        arguments.insert(arguments.begin(), "import");
        arguments.insert(arguments.end(), {"--registry", registry()});
        std::reverse(arguments.begin(), arguments.end());
        ::testing::internal::CaptureStdout();
        try {
            app.parse(arguments);
        } catch (...) {
            ::testing::internal::GetCapturedStdout();
            throw;
        }
        return ::testing::internal::GetCapturedStdout();
    }

    json run_json(std::vector<std::string> arguments) const {
        arguments.emplace_back("--json");
        return json::parse(run(std::move(arguments)));
    }

    std::string refusal(const std::vector<std::string>& arguments) const {
        try {
            run(arguments);
        } catch (const InputError& error) { return error.what(); }
        return "it was not refused";
    }

    std::vector<RunRecord> runs(const std::string& where = "") const {
        return Registry::open(registry(), Access::read).select(where);
    }

    TemporaryFolder folder_;
};

constexpr const char* table =
    "N,D,C,loss,excluded\n1e6,2e7,1.2e14,3.5,0\n2e6,4e7,4.8e14,3.25,1\n4e6,8e7,1.92e15,nan,0\n";

TEST_F(RunsImport, MakesRunsThatCanBeChosenByTheFilesOwnColumns) {
    const std::string file = write("points.csv", table);

    const json told = run_json({file, "--sweep", "published", "--tag", "paper", "--tag", "old"});

    EXPECT_EQ(told["imported"], 3);
    EXPECT_EQ(told["files"][0]["format"], "csv");
    EXPECT_EQ(told["files"][0]["format_guessed"], true);
    EXPECT_EQ(told["files"][0]["quantities"]["N"], "column 'N'");
    EXPECT_EQ(runs("sweep = 'published' and family = 'external'").size(), 3u);
    const auto chosen = runs("spec ->> '$.columns.excluded' = 0 and state = 'ok'");
    ASSERT_EQ(chosen.size(), 1u);
    EXPECT_EQ(chosen[0].non_embedding_params, 1'000'000);
    EXPECT_THAT(chosen[0].tags, ElementsAre("old", "paper"));
    EXPECT_EQ(runs("state = 'diverged'").size(), 1u);
    EXPECT_EQ(chosen[0].folder, "runs/" + chosen[0].id);
    EXPECT_FALSE(fs::exists(run_folder(registry(), chosen[0].id) / "curves.h5"));
}

TEST_F(RunsImport, MakesNoDuplicates) {
    const std::string file = write("points.csv", table);
    const std::string more = write("more.csv", std::string{table} + "8e6,1.6e8,7.68e15,2.75,0\n");
    run({file});
    const auto before = runs();

    const json again = run_json({file});

    EXPECT_EQ(again["imported"], 0);
    EXPECT_EQ(again["files"][0]["known"], 3);
    EXPECT_EQ(runs(), before);
    EXPECT_THAT(run({file}), HasSubstr("0 imported, 3 there already (same content)"));
    EXPECT_EQ(run_json({more})["imported"], 1);
    EXPECT_EQ(runs().size(), 4u);
}

TEST_F(RunsImport, SurvivesARebuildFromTheFoldersAlone) {
    run({write("points.csv", table), "--tag", "paper"});
    run({write("curve.csv", "run,step,loss\na,1,3.5\na,2,3.25\n")});
    const auto before = runs();
    fs::remove(folder_ / "registry" / "registry.sqlite");

    const RebuildReport report = rebuild_registry(registry());

    EXPECT_THAT(report.unreadable, IsEmpty());
    EXPECT_EQ(before.size(), 4u);
    EXPECT_EQ(runs(), before);
}

TEST_F(RunsImport, KeepsCurvesWithWhatIsNotKnownLeftOpen) {
    run({write("curve.jsonl",
               "{\"step\": 10, \"train/loss\": 3.5, \"lr\": 0.001}\n"
               "{\"step\": 20, \"train/loss\": 3.25, \"lr\": 0.0005}\n{\"step\": 20, \"val/loss\": 3.375}\n"),
         "--value", "N=1e6"});

    ASSERT_EQ(runs().size(), 1u);
    const RunRecord run = runs()[0];
    EXPECT_EQ(run.name, "curve");
    EXPECT_EQ(run.final_val_loss, 3.375);
    EXPECT_EQ(run.final_train_loss, 3.25);
    EXPECT_FALSE(run.tokens || run.flops);
    const Curves curves = read_curves(run_folder(registry(), run.id));
    ASSERT_EQ(curves.train.size(), 2u);
    EXPECT_EQ(curves.train[1].loss, 3.25);
    EXPECT_EQ(curves.train[1].lr, 0.0005);
    EXPECT_EQ(curves.train[1].tokens, 0);
    EXPECT_TRUE(std::isnan(curves.train[1].flops));
    ASSERT_EQ(curves.eval.size(), 1u);
    EXPECT_EQ(curves.eval[0].step, 20);
}

TEST_F(RunsImport, ReadsFoldersOfTensorBoardRuns) {
    EventFileWriter small;
    EventFileWriter large;
    for (const int step : {100, 200}) {
        small.add_scalar("Loss/train", step, 4.0F - static_cast<float>(step) / 400);
        large.add_tensor_scalar("Loss/train", step, 3.0F);
    }
    small.add_scalar("Loss/val", 200, 3.625F);
    write("logs/small/events.out.tfevents.1.host", small.contents());
    write("logs/large/events.out.tfevents.1.host", large.contents().substr(0, large.contents().size() - 3));

    const json told = run_json({(folder_ / "logs").string()});

    EXPECT_EQ(told["imported"], 2);
    EXPECT_EQ(told["files"][0]["quantities"]["loss"], "column 'Loss/val'");
    EXPECT_EQ(told["files"][0]["quantities"]["train_loss"], "column 'Loss/train'");
    EXPECT_THAT(told["files"][0]["notes"], Contains(HasSubstr("run 'large': record 3 (byte")));
    EXPECT_EQ(runs("name = 'small'")[0].final_val_loss, 3.625);
    EXPECT_EQ(runs("name = 'small'")[0].final_train_loss, 3.5);
    EXPECT_EQ(runs("name = 'large'")[0].steps, 100);
    EXPECT_EQ(json::parse(runs("name = 'small'")[0].spec)["import"]["format"], "tensorboard");
    const json other = run_json({(folder_ / "logs").string(), "--map", "loss=Loss/train"});
    EXPECT_EQ(other["imported"], 2);
}

TEST_F(RunsImport, SaysThatALogThatGrewIsThereAlready) {
    EventFileWriter writer;
    writer.add_scalar("val_loss", 100, 4.0F);
    const std::string first = writer.contents();
    writer.add_scalar("val_loss", 200, 3.5F);
    writer.add_scalar("val_loss", 300, 3.25F);
    const std::string file = "r/events.out.tfevents.1.host";
    const std::string folder = fs::path{write(file, first)}.parent_path().string();
    run({folder});
    const std::string id = runs()[0].id;

    write(file, writer.contents().substr(0, writer.contents().size() - 3));
    const json cut = run_json({folder});
    write(file, writer.contents());
    const json whole = run_json({folder});

    EXPECT_THAT(cut["files"][0]["notes"], Contains(HasSubstr("counts as stopped")));
    EXPECT_THAT(cut["files"][0]["notes"], Contains(HasSubstr("is there already with other content: " + id + " (ok)")));
    EXPECT_EQ(runs("state = 'stopped'").size(), 1u);
    EXPECT_EQ(runs("state = 'ok'").size(), 2u);
    EXPECT_THAT(whole["files"][0]["notes"],
                Contains(AllOf(HasSubstr("content: " + id + " (ok)"), HasSubstr("a fit takes both"))));
    EXPECT_THAT(run_json({folder})["files"][0]["notes"], Not(Contains(HasSubstr("is there already"))));
}

TEST_F(RunsImport, GuessesTheTrackerByTheHeader) {
    const json wandb =
        run_json({write("chart.csv", "\"Step\",\"a - loss\",\"a - loss__MIN\",\"a - loss__MAX\"\n1,3,3,3\n")});
    const json mlflow = run_json({write("runs.csv", "run_id,status,metrics.loss\nx,FINISHED,3\n")});

    EXPECT_EQ(wandb["files"][0]["format"], "wandb");
    EXPECT_EQ(mlflow["files"][0]["format"], "mlflow");
    EXPECT_EQ(runs("name = 'a'").size(), 1u);
    EXPECT_EQ(runs("name = 'x'").size(), 1u);
}

TEST_F(RunsImport, ImportsNothingWhereOneFileIsBad) {
    const std::string good = write("good.csv", table);
    const std::string bad = write("bad.csv", "N,loss\n1e6,x\n");
    const std::string worse = write("worse.jsonl", "{\n");

    const std::string told = refusal({good, bad, worse});

    EXPECT_THAT(told, AllOf(HasSubstr("bad.csv: 1 problem\n  line 2, column 'loss': found 'x'"),
                            HasSubstr("worse.jsonl: 1 problem\n  line 1: is no JSON"),
                            HasSubstr("nothing was imported"), Not(HasSubstr("good.csv"))));
    EXPECT_FALSE(fs::exists(registry()));
}

TEST_F(RunsImport, LeavesNoneOfAFilesRunsWhereOneCannotBeWritten) {
    const std::string file = write("points.csv", table);
    const auto ids = run_json({file})["files"][0]["runs"];
    fs::remove_all(folder_ / "registry");
    fs::create_directories(folder_ / "registry/runs");
    // What a tag may not hold is found when the first run's folder is being written.
    EXPECT_THAT(refusal({file, "--tag", "a,b"}), HasSubstr("cannot be a tag"));

    EXPECT_TRUE(fs::is_empty(folder_ / "registry/runs"));
    EXPECT_EQ(run_json({file})["files"][0]["runs"], ids);
    EXPECT_EQ(runs().size(), 3u);
}

TEST_F(RunsImport, RefusesWrongOptionsWithTheNearestName) {
    const std::string file = write("points.csv", table);

    EXPECT_THAT(refusal({file, "--format", "tensorbord"}), HasSubstr("did you mean 'tensorboard'?"));
    EXPECT_THAT(refusal({file, "--map", "los=loss"}), HasSubstr("did you mean 'loss'?"));
    EXPECT_THAT(refusal({file, "--map", "loss"}), HasSubstr("must be QUANTITY=COLUMN"));
    EXPECT_THAT(refusal({file, "--scale", "N=M"}), HasSubstr("must be a number above 0"));
    EXPECT_THAT(refusal({file, "--compute", "8nd"}), HasSubstr("must be 6nd"));
    EXPECT_THAT(refusal({file, "--format", "wandb"}), HasSubstr("is no chart exported from W&B"));
    EXPECT_THAT(refusal({(folder_ / "none.csv").string()}), HasSubstr("there is no such file"));
    EXPECT_THAT(refusal({folder_.path().string()}), HasSubstr("no event file"));
}

TEST_F(RunsImport, CannotBeTrainedFurther) {
    run({write("points.csv", table)});

    try {
        LiveRun::open(run_folder(registry(), runs()[0].id), 0);
        FAIL();
    } catch (const InputError& error) { EXPECT_THAT(error.what(), HasSubstr("imported from another program")); }
}

}  // namespace
}  // namespace loglog
