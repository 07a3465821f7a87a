#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "db/registry/run_record.hpp"
#include "experiments/run/evaluation.hpp"

namespace loglog {

/// A process that works, or worked, on a run; enough to tell on its own host whether it still lives.
struct RunOwner {
    std::string host;
    std::int64_t pid = 0;
    std::int64_t start_ticks = 0;  ///< kernel's start time of the process: guards against a reused pid

    bool operator==(const RunOwner&) const = default;
};

/// The first line of a journal.
struct OpenedLine {
    std::string id;
    std::string code_version;
    std::string spec_hash;  ///< of spec.json's bytes
    std::string time;       ///< ISO 8601, UTC
    RunOwner owner;
};

/// Training goes on after `step`, from a checkpoint (or from nothing, step 0): later lines supersede earlier ones of a
/// step beyond it.
struct ResumedLine {
    std::int64_t step = 0;
    std::string time;
    RunOwner owner;
};

/// One optimizer step. Steps count from 1.
struct StepLine {
    std::int64_t step = 0;
    double loss = 0;               ///< nats per token, mean over the global batch
    double lr = 0;                 ///< used by this step
    double grad_norm = 0;          ///< global, before clipping
    std::int64_t tokens = 0;       ///< trained in all, this step included
    double flops = 0;              ///< model FLOPs in all, this step included
    double seconds = 0;            ///< training time in all (no evaluation, no checkpoints), carried over resumption
    double tokens_per_second = 0;  ///< of this step
    double share_of_peak = 0;      ///< of this step, in [0, 1]
    bool clipped = false;
    double noise_scale = 0;  ///< gradient noise scale so far, in tokens; 0: not known

    bool operator==(const StepLine&) const = default;
};

/// One evaluation on the validation set, after `step` steps (0: before training).
struct EvalLine {
    std::int64_t step = 0;
    std::int64_t tokens = 0;  ///< trained so far
    double val_loss = 0;      ///< nats per token
    double bits_per_byte = 0;
    double perplexity = 0;
    std::vector<double> loss_by_position;  ///< nats per token by bucket of the position in the window; may be empty
    std::optional<double> accuracy = {};   ///< of labelled data, like the next two: see Evaluation
    std::optional<double> string_accuracy = {};
    std::vector<LengthScore> by_length = {};
    std::optional<double> recall_loss = {};   ///< nats per token, of recall tokens (docs/formats.md)
    std::optional<double> recall_share = {};  ///< of recall tokens among all

    bool operator==(const EvalLine&) const = default;
};

struct CheckpointLine {
    std::int64_t step = 0;

    bool operator==(const CheckpointLine&) const = default;
};

/// The run ended, well or not. A stopped run may be resumed after it.
struct ClosedLine {
    RunState state = RunState::ok;
    std::string reason;
    std::string time;
    std::int64_t steps = 0;
    std::int64_t peak_memory_bytes = 0;  ///< 0: not known
};

/// Appends lines to a run's journal: one JSON object a line, its checksum last, one write(2) a line with O_APPEND, so a
/// kill leaves whole lines and at most one torn at the end. docs/formats.md gives the keys.
///
/// A line that does not fit on the disk is taken back and Error thrown: what was there stays intact.
class JournalWriter {
  public:
    /// Creates the file; throws InputError if it exists.
    static JournalWriter create(const std::filesystem::path& path);
    /// Opens an existing file, cutting a torn last line off first.
    static JournalWriter append(const std::filesystem::path& path);

    JournalWriter(JournalWriter&& other) noexcept;
    JournalWriter& operator=(JournalWriter&& other) noexcept;
    ~JournalWriter();

    void write(const OpenedLine& line);
    void write(const ResumedLine& line);
    void write(const StepLine& line);  ///< a few microseconds
    void write(const EvalLine& line);
    void write(const CheckpointLine& line);
    void write(const ClosedLine& line);

    /// Waits until everything written is on the disk; only needed against a crash of the machine.
    void sync();

  private:
    JournalWriter(std::filesystem::path path, int descriptor, std::int64_t size);
    template <class Line>
    void write_line(const Line& line);
    void append_line();

    std::filesystem::path path_;
    int descriptor_ = -1;
    std::int64_t size_ = 0;  ///< bytes of whole lines
    std::string text_;       ///< of the line being written
};

using JournalLine = std::variant<OpenedLine, ResumedLine, StepLine, EvalLine, CheckpointLine, ClosedLine>;

/// A journal's lines in the order written, superseded ones included.
struct Journal {
    std::vector<JournalLine> lines;
    std::int64_t torn_bytes = 0;  ///< of an incomplete or damaged last line, which is not among `lines`
};

/// Reads and verifies a journal. A bad last line is what a kill leaves behind and is left out; a bad line elsewhere
/// throws Error with file and line number, since something else damaged the file.
Journal read_journal(const std::filesystem::path& path);

}  // namespace loglog
