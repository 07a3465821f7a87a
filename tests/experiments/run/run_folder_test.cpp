#include "experiments/run/run_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "db/files/publish.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/curves.hpp"
#include "experiments/run/environment.hpp"
#include "tests/support/temporary_folder.hpp"

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

RunRecord sample_plan(const std::string& id = "3f2a9c01d4be") {
    RunRecord plan;
    plan.id = id;
    plan.sweep = "quickstart";
    plan.name = "w64";
    plan.layers = 4;
    plan.non_embedding_params = 1000;
    plan.tokens = 300;
    plan.unique_tokens = 150;
    plan.flops_per_token = 7e3;
    plan.flops = 2.1e6;
    plan.planned_steps = 3;
    plan.code_version = code_version();
    plan.spec = R"({"model":{"width":64},"train":{"lr":0.1,"batch_tokens":100}})";
    return plan;
}

StepLine step_line(std::int64_t step, double loss, double seconds) {
    StepLine line;
    line.step = step;
    line.loss = loss;
    line.tokens = step * 100;
    line.flops = static_cast<double>(step) * 7e5;
    line.seconds = seconds;
    line.share_of_peak = step == 1 ? 0.25 : 0.5;
    return line;
}

EvalLine eval_line(std::int64_t step, double loss) { return {step, step * 100, loss, loss / 2, std::exp(loss), {}}; }

void train_to_the_end(LiveRun& run) {
    run.journal().write(step_line(1, 5.0, 1.0));
    run.journal().write(eval_line(1, 4.0));
    run.journal().write(step_line(2, 3.0, 2.0));
    run.journal().write(eval_line(2, 2.0));
    run.journal().write(step_line(3, 3.5, 4.0));
    run.journal().write(eval_line(3, 2.5));
}

std::string message_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) { return error.what(); }
    return "nothing was thrown";
}

TEST(RunFolder, HoldsAPlannedRun) {
    const TemporaryFolder registry;

    const RunRecord record = create_run_folder(registry.path(), sample_plan(), capture_environment(0, nullptr));

    EXPECT_TRUE(run_folder_exists(registry.path(), record.id));
    EXPECT_FALSE(run_folder_exists(registry.path(), "other"));
    EXPECT_EQ(record.state, RunState::planned);
    EXPECT_EQ(record.folder, "runs/3f2a9c01d4be");
    EXPECT_EQ(record.host, host_name());
    EXPECT_EQ(record.flops_6nd, 6.0 * 1000 * 300);
    EXPECT_EQ(record.spec, sample_plan().spec);
    EXPECT_EQ(record_from_folder(run_folder(registry.path(), record.id)), record);
}

TEST(RunFolder, IsNeverMadeTwiceAndNeverHalf) {
    const TemporaryFolder registry;
    create_run_folder(registry.path(), sample_plan(), "{}");
    RunRecord broken = sample_plan("broken");
    broken.spec = "{";

    EXPECT_THAT(message_of([&] { create_run_folder(registry.path(), sample_plan(), "{}"); }),
                HasSubstr("exists already"));
    EXPECT_THROW(create_run_folder(registry.path(), broken, "{}"), InputError);
    EXPECT_FALSE(run_folder_exists(registry.path(), "broken"));
}

TEST(RunFolder, ReplacesWhatAKillLeftOfAnEarlierAttempt) {
    const TemporaryFolder registry;
    std::filesystem::create_directories(registry / "runs/.3f2a9c01d4be.partial");
    write_file(registry / "runs/.3f2a9c01d4be.partial/tags.json", "[\"old\"]", Durability::process);

    EXPECT_THAT(create_run_folder(registry.path(), sample_plan(), "{}").tags, IsEmpty());
}

TEST(LiveRun, LeavesItsRecordAndCurves) {
    const TemporaryFolder registry;
    create_run_folder(registry.path(), sample_plan(), "{}");
    const auto folder = run_folder(registry.path(), sample_plan().id);
    LiveRun run = LiveRun::open(folder, 0);
    EXPECT_EQ(record_from_folder(folder).state, RunState::running);
    EXPECT_EQ(record_from_folder(folder).tokens, 0);
    train_to_the_end(run);

    const RunRecord record = run.close({.state = RunState::ok, .reason = {}, .peak_memory_bytes = 1 << 20});

    EXPECT_EQ(record, record_from_folder(folder));
    EXPECT_EQ(record.state, RunState::ok);
    EXPECT_EQ(record.steps, 3);
    EXPECT_EQ(record.tokens, 300);
    EXPECT_EQ(record.unique_tokens, 150);
    EXPECT_EQ(record.flops, 2.1e6);
    EXPECT_EQ(record.final_train_loss, 3.5);
    EXPECT_EQ(record.final_val_loss, 2.5);
    EXPECT_EQ(record.best_val_loss, 2.0);
    EXPECT_EQ(record.bits_per_byte, 1.25);
    EXPECT_EQ(record.seconds, 4.0);
    EXPECT_EQ(record.tokens_per_second, 75.0);
    EXPECT_EQ(record.share_of_peak, (0.25 * 1 + 0.5 * 3) / 4);
    EXPECT_EQ(record.peak_memory_bytes, 1 << 20);
    EXPECT_FALSE(record.finished_at.empty());
    EXPECT_EQ(read_curves(folder), curves_from(read_journal(folder / "journal.jsonl")));
    EXPECT_TRUE(std::filesystem::exists(folder / "curves.h5"));
}

TEST(LiveRun, OfADivergedRunKeepsItsCurveAndSaysWhy) {
    const TemporaryFolder registry;
    create_run_folder(registry.path(), sample_plan(), "{}");
    const auto folder = run_folder(registry.path(), sample_plan().id);
    LiveRun run = LiveRun::open(folder, 0);
    run.journal().write(step_line(1, 5.0, 1.0));
    run.journal().write(step_line(2, std::nan(""), 2.0));

    const RunRecord record = run.close({.state = RunState::diverged, .reason = "loss is NaN at step 2"});

    EXPECT_EQ(record.state, RunState::diverged);
    EXPECT_EQ(record.state_reason, "loss is NaN at step 2");
    EXPECT_EQ(record.final_train_loss, std::nullopt);
    EXPECT_EQ(read_curves(folder).train.size(), 2u);
}

TEST(LiveRun, GoesOnAfterAStopAsIfItHadNeverHappened) {
    const TemporaryFolder registry;
    create_run_folder(registry.path(), sample_plan("a"), "{}");
    create_run_folder(registry.path(), sample_plan("b"), "{}");
    const auto disturbed = run_folder(registry.path(), "a");
    const auto undisturbed = run_folder(registry.path(), "b");
    LiveRun whole = LiveRun::open(undisturbed, 0);
    train_to_the_end(whole);
    whole.close({});

    LiveRun first = LiveRun::open(disturbed, 0);
    first.journal().write(step_line(1, 5.0, 1.0));
    first.journal().write(eval_line(1, 4.0));
    first.journal().write(CheckpointLine{1});
    first.journal().write(step_line(2, 99.0, 9.0));
    EXPECT_EQ(first.close({.state = RunState::stopped, .reason = "walltime"}).steps, 2);
    LiveRun second = LiveRun::open(disturbed, 1);
    EXPECT_EQ(record_from_folder(disturbed).state, RunState::running);
    EXPECT_EQ(record_from_folder(disturbed).steps, 1);
    EXPECT_TRUE(record_from_folder(disturbed).finished_at.empty());
    second.journal().write(step_line(2, 3.0, 2.0));
    second.journal().write(eval_line(2, 2.0));
    second.journal().write(step_line(3, 3.5, 4.0));
    second.journal().write(eval_line(3, 2.5));
    const RunRecord record = second.close({});

    EXPECT_EQ(record.state, RunState::ok);
    EXPECT_EQ(read_curves(disturbed), read_curves(undisturbed));
    EXPECT_THAT(message_of([&] { LiveRun::open(disturbed, 3); }), HasSubstr("is finished"));
}

TEST(LiveRun, OfAKilledProcessIsStoppedAndCanGoOn) {
    const TemporaryFolder registry;
    create_run_folder(registry.path(), sample_plan(), "{}");
    const auto folder = run_folder(registry.path(), sample_plan().id);
    const pid_t child = ::fork();
    if (child == 0) {
        LiveRun run = LiveRun::open(folder, 0);
        run.journal().write(step_line(1, 5.0, 1.0));
        ::raise(SIGKILL);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));

    const RunRecord killed = record_from_folder(folder);
    EXPECT_EQ(killed.state, RunState::stopped);
    EXPECT_THAT(killed.state_reason, HasSubstr("killed"));
    EXPECT_EQ(killed.steps, 1);

    LiveRun run = LiveRun::open(folder, 0);
    train_to_the_end(run);
    EXPECT_EQ(run.close({}).state, RunState::ok);
}

TEST(LiveRun, IsRefusedWhileAnotherProcessTrainsTheRun) {
    const TemporaryFolder registry;
    create_run_folder(registry.path(), sample_plan(), "{}");
    const auto folder = run_folder(registry.path(), sample_plan().id);
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        const LiveRun run = LiveRun::open(folder, 0);
        static_cast<void>(::write(ready[1], "x", 1));
        ::pause();
    }
    char byte = 0;
    ASSERT_EQ(::read(ready[0], &byte, 1), 1);

    const std::string message = message_of([&] { LiveRun::open(folder, 0); });
    const RunState state = record_from_folder(folder).state;
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(ready[0]);
    ::close(ready[1]);

    EXPECT_THAT(message, HasSubstr("is being trained by process " + std::to_string(child)));
    EXPECT_EQ(state, RunState::running);
    EXPECT_EQ(record_from_folder(folder).state, RunState::stopped);
}

TEST(LiveRun, StartsAfreshWhenAKillLeftAnEmptyJournal) {
    const TemporaryFolder registry;
    create_run_folder(registry.path(), sample_plan(), "{}");
    const auto folder = run_folder(registry.path(), sample_plan().id);
    write_file(folder / "journal.jsonl", R"({"event":"op)", Durability::process);
    EXPECT_EQ(record_from_folder(folder).state, RunState::planned);

    LiveRun run = LiveRun::open(folder, 0);

    EXPECT_TRUE(std::holds_alternative<OpenedLine>(read_journal(folder / "journal.jsonl").lines.at(0)));
}

TEST(RunFolder, NamesTheFileThatCannotBeUsed) {
    const TemporaryFolder registry;
    create_run_folder(registry.path(), sample_plan(), "{}");
    const auto folder = run_folder(registry.path(), sample_plan().id);
    LiveRun run = LiveRun::open(folder, 0);
    const auto read = [&] { record_from_folder(folder); };

    write_file(folder / "spec.json", R"({"model":{"width":65}})", Durability::process);
    EXPECT_THAT(message_of(read), HasSubstr("spec.json is not what the run was started with"));
    write_file(folder / "spec.json", "{", Durability::process);
    EXPECT_THAT(message_of(read), HasSubstr("spec.json is damaged"));
    write_file(folder / "run.json", "[]", Durability::process);
    EXPECT_THAT(message_of(read), HasSubstr("run.json is damaged"));
    std::filesystem::remove(folder / "run.json");
    EXPECT_THAT(message_of(read), HasSubstr("run.json: opening failed: No such file"));
}

TEST(RunFolder, MayHaveItsSpecificationReformatted) {
    const TemporaryFolder registry;
    create_run_folder(registry.path(), sample_plan(), "{}");
    const auto folder = run_folder(registry.path(), sample_plan().id);
    LiveRun run = LiveRun::open(folder, 0);

    write_file(folder / "spec.json", nlohmann::ordered_json::parse(sample_plan().spec).dump(7), Durability::process);

    EXPECT_EQ(record_from_folder(folder).state, RunState::running);
}

TEST(RunFolder, KeepsTagsSortedAndRefusesOnesThatCannotBeStored) {
    const TemporaryFolder folder;

    write_tags(folder.path(), {"paper", "good", "paper"});

    EXPECT_THAT(read_tags(folder.path()), ElementsAre("good", "paper"));
    EXPECT_THROW(write_tags(folder.path(), {"a,b"}), InputError);
    EXPECT_THROW(write_tags(folder.path(), {""}), InputError);
}

TEST(Environment, SaysWhatTheProcessRunsInButNoSecrets) {
    ::setenv("OMP_NUM_THREADS", "3", 1);
    ::setenv("SLURM_JWT", "secret", 1);
    const char* const command[] = {"loglog", "train"};

    const auto json = nlohmann::json::parse(capture_environment(2, command, {{"mpi", "Open MPI"}}));

    EXPECT_EQ(json.at("command"), nlohmann::json({"loglog", "train"}));
    EXPECT_EQ(json.at("libraries").at("mpi"), "Open MPI");
    EXPECT_EQ(json.at("variables").at("OMP_NUM_THREADS"), "3");
    EXPECT_FALSE(json.at("variables").contains("SLURM_JWT"));
    EXPECT_EQ(json.at("code_version"), code_version());
    EXPECT_THAT(code_version(), ::testing::MatchesRegex("[0-9.]+\\+[0-9a-f]+"));
}

TEST(RunFolder, CostsAOneStepRunFewMilliseconds) {
    const TemporaryFolder registry;
    double least = std::numeric_limits<double>::infinity();
    for (int i = 0; i < 20; ++i) {
        const auto start = std::chrono::steady_clock::now();
        const auto record =
            create_run_folder(registry.path(), sample_plan("run" + std::to_string(i)), capture_environment(0, nullptr));
        LiveRun run = LiveRun::open(run_folder(registry.path(), record.id), 0);
        run.journal().write(step_line(1, 5.0, 1.0));
        run.journal().write(eval_line(1, 4.0));
        run.close({});
        least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }

    EXPECT_LT(least, 20e-3);
    RecordProperty("microseconds", static_cast<int>(least * 1e6));
}

TEST(RunOwner, AKilledProcessThatItsParentHasNotAskedAboutIsNotAlive) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::pause();
        ::_exit(0);
    }
    const RunOwner owner{host_name(), child, 0};
    EXPECT_TRUE(may_be_alive(owner));

    ::kill(child, SIGKILL);
    siginfo_t ended{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT), 0);  // a zombie from here on

    EXPECT_FALSE(may_be_alive(owner));
    ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace loglog
