#include "experiments/run/journal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>

#include "db/files/publish.hpp"
#include "engine/base/error.hpp"
#include "engine/base/random.hpp"
#include "tests/support/temporary_folder.hpp"

namespace loglog {
namespace {

using ::testing::HasSubstr;

StepLine sample_step(std::int64_t step) {
    const Random random{Seed{11}, Stream::search};
    const auto index = static_cast<std::uint64_t>(step) * 8;
    return {step,
            random.normal(index),
            random.uniform(index + 1) * 1e-3,
            random.uniform(index + 2),
            step * 8192,
            random.uniform(index + 3) * 1e18,
            random.uniform(index + 4) * 1e5,
            random.uniform(index + 5) * 1e6,
            random.uniform(index + 6),
            step % 3 == 0,
            step % 2 == 0 ? random.uniform(index + 7) * 1e6 : 0.0};  // of which a run may know nothing
}

EvalLine sample_eval(std::int64_t step) { return {step, step * 8192, 2.0 / 3.0, 0.1, 7.7, {3.25, 0.1, 1e-300}}; }

void write_some(const std::filesystem::path& path, int steps) {
    JournalWriter writer = JournalWriter::create(path);
    for (int step = 1; step <= steps; ++step) { writer.write(sample_step(step)); }
}

std::string message_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) { return error.what(); }
    return "nothing was thrown";
}

TEST(Journal, GivesBackEveryKindOfLine) {
    const TemporaryFolder folder;
    const RunOwner owner{"node \"7\"", 4242, 99};
    {
        JournalWriter writer = JournalWriter::create(folder / "j");
        writer.write(OpenedLine{"id", "0.1.0+abc", "00ff", "2025-03-01T12:00:00Z", owner});
        writer.write(sample_step(1));
        writer.write(sample_eval(1));
        writer.write(CheckpointLine{1});
        writer.write(ResumedLine{1, "2025-03-01T13:00:00Z", owner});
        writer.write(
            ClosedLine{RunState::failed, "line one\nline \"two\" \xc3\xa9", "2025-03-01T14:00:00Z", 1, 1 << 20});
    }

    const Journal journal = read_journal(folder / "j");

    ASSERT_EQ(journal.lines.size(), 6u);
    EXPECT_EQ(journal.torn_bytes, 0);
    const auto& opened = std::get<OpenedLine>(journal.lines[0]);
    EXPECT_EQ(opened.id + opened.code_version + opened.spec_hash, "id0.1.0+abc00ff");
    EXPECT_EQ(opened.owner, owner);
    EXPECT_EQ(std::get<StepLine>(journal.lines[1]), sample_step(1));
    EXPECT_EQ(std::get<EvalLine>(journal.lines[2]), sample_eval(1));
    EXPECT_EQ(std::get<CheckpointLine>(journal.lines[3]).step, 1);
    EXPECT_EQ(std::get<ResumedLine>(journal.lines[4]).owner, owner);
    const auto& closed = std::get<ClosedLine>(journal.lines[5]);
    EXPECT_EQ(closed.state, RunState::failed);
    EXPECT_EQ(closed.reason, "line one\nline \"two\" \xc3\xa9");
    EXPECT_EQ(closed.peak_memory_bytes, 1 << 20);
}

EvalLine probe_eval(std::int64_t step) {
    EvalLine line = sample_eval(step);
    line.accuracy = 1.0 / 3.0;
    line.string_accuracy = 0.0;
    line.by_length = {{16, 0.7, 0.1}, {32, 1e-17, 0.0}};
    return line;
}

EvalLine text_eval(std::int64_t step) {
    EvalLine line = sample_eval(step);
    line.recall_loss = 5.0 / 7.0;
    line.recall_share = 0.06;
    return line;
}

TEST(Journal, GivesBackWhatAnEvaluationSaysBesidesTheLoss) {
    const TemporaryFolder folder;
    {
        JournalWriter writer = JournalWriter::create(folder / "j");
        writer.write(probe_eval(1));
        writer.write(text_eval(2));
    }

    const Journal journal = read_journal(folder / "j");

    EXPECT_EQ(std::get<EvalLine>(journal.lines.at(0)), probe_eval(1));
    EXPECT_EQ(std::get<EvalLine>(journal.lines.at(1)), text_eval(2));
}

TEST(Journal, OfBeforeProbesIsReadAsHavingNoAccuracy) {
    const TemporaryFolder folder;
    // Written by version 0.1.0.
    write_file(folder / "j",
               R"({"event":"eval","step":400,"tokens":3276800,"val_loss":2.5,"bits_per_byte":0.9,"perplexity":12.25,)"
               R"("loss_by_position":[3,2],"sum":"41c85cb28d7972b1"})"
               "\n",
               Durability::process);

    const Journal journal = read_journal(folder / "j");

    ASSERT_EQ(journal.lines.size(), 1u);
    EXPECT_EQ(std::get<EvalLine>(journal.lines[0]), (EvalLine{400, 3'276'800, 2.5, 0.9, 12.25, {3.0, 2.0}}));
}

TEST(Journal, KeepsEveryBitOfEveryNumber) {
    const TemporaryFolder folder;
    write_some(folder / "j", 500);

    const Journal journal = read_journal(folder / "j");

    for (int step = 1; step <= 500; ++step) {
        const auto expected = sample_step(step);
        const auto& line = std::get<StepLine>(journal.lines[static_cast<std::size_t>(step - 1)]);
        EXPECT_EQ(std::memcmp(&line.loss, &expected.loss, sizeof(double)), 0);
        EXPECT_EQ(line, expected);
    }
}

TEST(Journal, KeepsNumbersThatJsonLacks) {
    const TemporaryFolder folder;
    constexpr double infinity = std::numeric_limits<double>::infinity();
    StepLine step = sample_step(1);
    step.loss = std::nan("");
    step.grad_norm = infinity;
    step.lr = -0.0;
    {
        JournalWriter writer = JournalWriter::create(folder / "j");
        writer.write(step);
        writer.write(EvalLine{1, 2, -infinity, std::nan(""), infinity, {infinity, 1.0}});
    }

    const Journal journal = read_journal(folder / "j");

    const auto& back = std::get<StepLine>(journal.lines[0]);
    EXPECT_TRUE(std::isnan(back.loss));
    EXPECT_EQ(back.grad_norm, infinity);
    EXPECT_TRUE(back.lr == 0 && std::signbit(back.lr));
    const auto& eval = std::get<EvalLine>(journal.lines[1]);
    EXPECT_EQ(eval.val_loss, -infinity);
    EXPECT_EQ(eval.loss_by_position.at(0), infinity);
}

TEST(Journal, WhereverAKillCutsItWholeLinesStay) {
    const TemporaryFolder folder;
    write_some(folder / "whole", 3);
    const std::string whole = read_file(folder / "whole");
    const std::size_t second = whole.find('\n', whole.find('\n') + 1) + 1;  // end of the second line

    for (std::size_t size = second; size < whole.size(); ++size) {
        write_file(folder / "j", whole.substr(0, size), Durability::process);

        const Journal journal = read_journal(folder / "j");
        EXPECT_EQ(journal.lines.size(), 2u) << "cut at " << size;
        EXPECT_EQ(journal.torn_bytes, static_cast<std::int64_t>(size - second));

        JournalWriter::append(folder / "j").write(sample_step(3));
        ASSERT_EQ(read_file(folder / "j"), whole) << "cut at " << size;
    }
}

TEST(Journal, IgnoresALastLineOfZerosThatACrashOfTheMachineLeft) {
    const TemporaryFolder folder;
    write_some(folder / "j", 2);
    const std::string whole = read_file(folder / "j");
    write_file(folder / "j", whole + std::string(300, '\0') + "\n", Durability::process);

    EXPECT_EQ(read_journal(folder / "j").lines.size(), 2u);
    JournalWriter::append(folder / "j");
    EXPECT_EQ(read_file(folder / "j"), whole);
}

TEST(Journal, MayBeEmptyOrHoldOnlyATornLine) {
    const TemporaryFolder folder;
    write_file(folder / "empty", "", Durability::process);
    write_file(folder / "torn", R"({"event":"open)", Durability::process);
    write_file(folder / "newline", "\n", Durability::process);

    for (const char* name : {"empty", "torn", "newline"}) {
        EXPECT_TRUE(read_journal(folder / name).lines.empty());
        JournalWriter::append(folder / name).write(sample_step(1));
        EXPECT_EQ(read_journal(folder / name).lines.size(), 1u);
    }
}

TEST(Journal, ReportsTheNumberOfADamagedLineBeforeTheLast) {
    const TemporaryFolder folder;
    write_some(folder / "j", 4);
    std::string text = read_file(folder / "j");
    const std::size_t loss = text.find("\"loss\":", text.find('\n')) + 8;
    text[loss] = text[loss] == '1' ? '2' : '1';
    write_file(folder / "j", text, Durability::process);

    EXPECT_THAT(message_of([&] { read_journal(folder / "j"); }), HasSubstr("j:2: damaged line: its checksum"));
}

TEST(Journal, NoticesAnyFlippedBitOfALine) {
    const TemporaryFolder folder;
    write_some(folder / "j", 2);
    const std::string text = read_file(folder / "j");
    for (std::size_t i = 0; i < text.find('\n'); ++i) {
        std::string flipped = text;
        flipped[i] = static_cast<char>(flipped[i] ^ 0x10);
        write_file(folder / "j", flipped, Durability::process);
        EXPECT_THROW(read_journal(folder / "j"), Error) << "byte " << i;
    }
}

TEST(Journal, IsNotCreatedTwice) {
    const TemporaryFolder folder;
    write_some(folder / "j", 1);

    EXPECT_THROW(JournalWriter::create(folder / "j"), InputError);
    EXPECT_EQ(read_journal(folder / "j").lines.size(), 1u);
}

/// Limits the size of the files this process writes, as a disk that fills up within a line would.
class FileSizeLimit {
  public:
    explicit FileSizeLimit(rlim_t bytes) : old_handler_{::signal(SIGXFSZ, SIG_IGN)} {
        ::getrlimit(RLIMIT_FSIZE, &old_);
        rlimit limited = old_;
        limited.rlim_cur = bytes;
        ::setrlimit(RLIMIT_FSIZE, &limited);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;
    ~FileSizeLimit() {
        ::setrlimit(RLIMIT_FSIZE, &old_);
        ::signal(SIGXFSZ, old_handler_);
    }

  private:
    rlimit old_{};
    sighandler_t old_handler_;
};

TEST(Journal, TakesALineBackThatDidNotFitAndGoesOnLater) {
    const TemporaryFolder folder;
    JournalWriter writer = JournalWriter::create(folder / "j");
    writer.write(sample_step(1));
    const std::string before = read_file(folder / "j");
    {
        const FileSizeLimit limit{before.size() + 20};
        const std::string message = message_of([&] { writer.write(sample_step(2)); });
        EXPECT_THAT(message, HasSubstr("No space left on device; free some space"));
    }
    EXPECT_EQ(read_file(folder / "j"), before);

    writer.write(sample_step(2));

    EXPECT_EQ(read_journal(folder / "j").lines.size(), 2u);
}

TEST(Journal, WritesAStepInUnderFiveMicroseconds) {
    const TemporaryFolder folder;
    JournalWriter writer = JournalWriter::create(folder / "j");
    std::vector<StepLine> steps;
    for (int step = 1; step <= 200; ++step) { steps.push_back(sample_step(step)); }
    double least = std::numeric_limits<double>::infinity();

    for (int attempt = 0; attempt < 50; ++attempt) {
        const auto start = std::chrono::steady_clock::now();
        for (const StepLine& step : steps) { writer.write(step); }
        least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / 200);
    }

#ifdef NDEBUG
    EXPECT_LT(least, 5e-6);
#endif
    RecordProperty("nanoseconds", static_cast<int>(least * 1e9));
}

}  // namespace
}  // namespace loglog
