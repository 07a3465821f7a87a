#include "sweeps/plan/neighbours.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "experiments/spec/load.hpp"
#include "sweeps/space/expand.hpp"

namespace loglog {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

TrainedRun trained(std::int64_t width, std::int64_t layers, std::int64_t tokens, const std::string& more = "") {
    const std::string text =
        "[data]\npath = \"a \\\"b\\\"\"\n[model]\nvocab = 512\ncontext = 64\nhead_dim = 16\n[train]\nbatch_tokens = "
        "1024\n";
    std::vector<std::string> keys{"model.width=" + std::to_string(width), "model.layers=" + std::to_string(layers),
                                  "train.tokens=" + std::to_string(tokens)};
    if (!more.empty()) { keys.push_back(more); }
    return {resolve(parse_run_spec(text, "run.toml", keys), 512), 3.0};
}

std::vector<TrainedRun> study() {
    return {trained(32, 2, 102'400), trained(64, 4, 102'400), trained(128, 8, 102'400), trained(128, 8, 1'024'000)};
}

std::vector<RunSpec> read_back(const std::string& file) {
    return expand(
               parse_sweep_spec(file, "advised.toml"), [](const RunSpec&) { return 512; },
               [](const RunSpec&) { return ModelSize{}; })
        .runs;
}

template <class Get>
auto all(const std::vector<RunSpec>& runs, const Get& get) {
    std::set<decltype(get(runs.front()))> values;
    for (const RunSpec& run : runs) { values.insert(get(run)); }
    return values;
}

TEST(Neighbours, LieBetweenTheRunsTrainedAndUpToTheReach) {
    const auto runs = neighbouring_runs(study(), 4);

    const auto widths = all(runs, [](const RunSpec& run) { return run.model.width; });
    EXPECT_EQ(widths, (std::set<std::int64_t>{32, 48, 64, 96, 128, 176, 256}));
    const auto tokens = all(runs, [](const RunSpec& run) { return run.train.tokens; });
    EXPECT_EQ(*tokens.begin(), 102'400);
    EXPECT_EQ(*tokens.rbegin() % 1024, 0);
    EXPECT_GT(*tokens.rbegin(), 2 * 1'024'000);
    EXPECT_LE(*tokens.rbegin(), 4 * 1'024'000);
    EXPECT_EQ(runs.size(), widths.size() * tokens.size());
}

TEST(Neighbours, KeepTheShapeOfTheRunsTrained) {
    for (const RunSpec& run : neighbouring_runs(study(), 4)) {
        EXPECT_EQ(run.model.head_dim, 16);
        EXPECT_EQ(run.model.heads * 16, run.model.width);
        EXPECT_EQ(run.model.layers, (run.model.width + 8) / 16);
        EXPECT_EQ(run.model.mlp_width, 4 * run.model.width);
    }
    const std::vector<TrainedRun> alike{trained(32, 2, 102'400), trained(64, 2, 102'400)};
    EXPECT_EQ(all(neighbouring_runs(alike, 4), [](const RunSpec& run) { return run.model.layers; }),
              std::set<std::int64_t>{2});
}

TEST(Neighbours, TakeOtherKeysFromTheNearestRunAndTheBestOfSeveralThere) {
    std::vector<TrainedRun> runs{trained(32, 2, 102'400, "train.optimizer.lr=0.01"),
                                 trained(128, 2, 102'400, "train.optimizer.lr=0.003"),
                                 trained(128, 2, 102'400, "train.optimizer.lr=0.001")};
    runs[2].loss = 2.9;

    for (const RunSpec& run : neighbouring_runs(runs, 1)) {
        EXPECT_EQ(run.train.optimizer.lr, run.model.width < 64 ? 0.01 : 0.001) << run.model.width;
    }
}

TEST(SweepFile, ReadsBackAsTheRunsMeant) {
    std::vector<TrainedRun> runs = study();
    runs[0].spec.train.optimizer.lr = 0.02;
    runs[3].spec.name = "first";
    const auto meant = neighbouring_runs(runs, 2);
    const std::vector<std::int64_t> seeds{3, 4};

    const std::string file = sweep_file("next", meant, seeds, "sweep = 'first'", std::vector<std::string>{"why"});

    const auto read = read_back(file);
    ASSERT_EQ(read.size(), 2 * meant.size());
    for (std::size_t i = 0; i < read.size(); ++i) {
        RunSpec expected = meant[i / 2];
        expected.train.seed = static_cast<std::uint64_t>(seeds[i % 2]);
        expected.name.clear();
        EXPECT_EQ(to_json(read[i]), to_json(expected));
    }
    EXPECT_EQ(parse_sweep_spec(file, "next.toml").adds_to, "sweep = 'first'");
    EXPECT_THAT(file, HasSubstr("# why\n[sweep]"));
}

TEST(SweepFile, WritesNoKeyThatFollowsFromOthers) {
    const auto meant = neighbouring_runs(study(), 2);

    const std::string file = sweep_file("next", meant, std::vector<std::int64_t>{2}, "true", {});

    EXPECT_THAT(file, HasSubstr("\"model.layers, model.width, train.tokens\" = ["));
    for (const char* key : {"heads", "mlp_width", "eval_every", "clip"}) { EXPECT_THAT(file, Not(HasSubstr(key))); }
}

TEST(SweepFile, OfASingleRunVariesNothing) {
    const std::vector<RunSpec> meant{trained(64, 4, 102'400).spec};

    const std::string file = sweep_file("next", meant, std::vector<std::int64_t>{2}, "true", {});

    EXPECT_THAT(file, Not(HasSubstr("[vary]")));
    EXPECT_EQ(read_back(file).size(), 1u);
}

}  // namespace
}  // namespace loglog
