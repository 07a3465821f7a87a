#include "apps/loglog/sweep_ledger.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

using Clock = std::chrono::steady_clock;

double fraction(const RunProgress& progress) {
    return progress.steps > 0 ? static_cast<double>(progress.step) / static_cast<double>(progress.steps) : 0;
}

// Of all ranks of a run together: runs of several ranks are worth several times their seconds.
double predicted_rank_seconds(const PlannedRun& run) {
    return run.predicted_seconds * static_cast<double>(run.spec.layout.ranks());
}

}  // namespace

SweepLedger::SweepLedger(Registry registry, const Plan& plan, const std::vector<RunOrder>& queue, TimelineJob job,
                         DescribeRun describe)
    : registry_{std::move(registry)},
      describe_{std::move(describe)},
      job_{std::move(job)},
      timeline_file_{loglog::timeline_file(registry_.folder(), plan.sweep)},
      terminal_{isatty(STDERR_FILENO) == 1},
      total_{static_cast<int>(plan.runs.size())},
      done_{total_ - static_cast<int>(queue.size()) - waiting_runs(plan)} {
    extend(plan, queue);
}

void SweepLedger::extend(const Plan& plan, const std::vector<RunOrder>& queue) {
    total_ = static_cast<int>(plan.runs.size());
    predicted_waiting_ = 0;
    for (const PlannedRun& run : plan.runs) {
        if (!run.lr_known) { predicted_waiting_ += predicted_rank_seconds(run); }
        if (!run.id.empty()) { by_id_.try_emplace(run.id, run); }
    }
    for (const RunOrder& run : queue) { predicted_left_ += predicted_rank_seconds(planned(run.id)); }
}

const RunRecord* SweepLedger::ended(const std::string& id) const {
    const auto record = ended_.find(id);
    return record != ended_.end() ? &record->second : nullptr;
}

double SweepLedger::elapsed() const { return std::chrono::duration<double>(Clock::now() - started_).count(); }

void SweepLedger::on_started(const RunOrder& run) {
    const PlannedRun& plan = planned(run.id);
    running_[run.id] = {{}, predicted_rank_seconds(plan), elapsed()};
    predicted_left_ -= predicted_rank_seconds(plan);
    RunRecord record = describe_(plan);
    record.state = RunState::running;
    pending_[run.id] = std::move(record);
}

void SweepLedger::on_progress(const RunOrder& run, const RunProgress& progress) {
    running_[run.id].progress = progress;
}

void SweepLedger::on_ended(const RunOrder& run, const RunReport& report) {
    const auto ended = running_.find(run.id);
    if (ended != running_.end()) {
        predicted_done_ += ended->second.predicted_rank_seconds;
        add_to_timeline(run, report, ended->second.start);
        running_.erase(ended);
    }
    if (report.busy) {
        pending_.erase(run.id);
        return say(fmt::format("{}: left to the other process that trains it", run.id));
    }
    RunRecord record = report.record;
    if (record.spec.empty() || record.family.empty()) {
        // It failed before it had a folder; what was planned is known all the same.
        RunRecord described = describe_(planned(run.id));
        described.state = record.state;
        described.state_reason = std::move(record.state_reason);
        record = std::move(described);
    }
    pending_[run.id] = record;
    ended_[run.id] = record;
    if (record.state == RunState::stopped) { return; }
    ++done_;
    const ModelSpec& model = planned(run.id).spec.model;
    if (record.state == RunState::ok) {
        say(fmt::format("{}/{} {}: width {}, {} layers, {:.3g} tokens: loss {:.4f} in {}", done_, total_, run.id,
                        model.width, model.layers, static_cast<double>(record.tokens.value_or(0)),
                        record.final_val_loss.value_or(0), spell_duration(record.seconds.value_or(0))));
    } else {
        say(fmt::format("{}/{} {}: {}: {}", done_, total_, run.id, to_text(record.state), record.state_reason));
        unsuccessful_.push_back(std::move(record));
    }
}

void SweepLedger::add_to_timeline(const RunOrder& run, const RunReport& report, double start) {
    timeline_.push_back({.id = run.id,
                         .ranks = run.members,
                         .start = start,
                         .end = elapsed(),
                         .state = report.busy ? "busy" : to_text(report.record.state)});
    try {
        append_to_timeline(timeline_file_, job_, timeline_.back());
    } catch (const Error& error) {
        if (!std::exchange(timeline_fails_, true)) { say(fmt::format("no timeline: {}", error.what())); }
    }
}

void SweepLedger::on_tick() {
    if (!pending_.empty() && Clock::now() >= next_write_) { write_pending(); }
    if (line_.due()) { line_.show(progress_text()); }
}

void SweepLedger::write_pending() {
    constexpr std::chrono::milliseconds pause{500};
    try {
        finish();
        last_failure_.clear();
        next_write_ = Clock::now() + pause;
    } catch (const std::exception& error) {
        if (last_failure_ != error.what()) { say(fmt::format("the registry waits: {}", error.what())); }
        last_failure_ = error.what();
        next_write_ = Clock::now() + 20 * pause;
    }
}

void SweepLedger::finish() {
    std::vector<RunRecord> records;
    for (const auto& [id, record] : pending_) { records.push_back(record); }
    registry_.upsert(std::span<const RunRecord>{records});
    pending_.clear();
}

void SweepLedger::say(const std::string& line) {
    // On a terminal the progress line is in the way: it is cleared, and drawn again below.
    std::fprintf(stderr, terminal_ ? "\r\033[K%s\n" : "%s\n", line.c_str());
}

std::string SweepLedger::progress_text() const {
    double running_left = 0;
    double done = predicted_done_;
    double tokens_per_second = 0;
    std::string runs;
    for (const auto& [id, run] : running_) {
        const double part = fraction(run.progress);
        done += part * run.predicted_rank_seconds;
        running_left += (1 - part) * run.predicted_rank_seconds;
        tokens_per_second += run.progress.tokens_per_second;
        if (runs.size() > 60) { continue; }
        runs += run.progress.step > 0
                    ? fmt::format("  {} {:.0f}% loss {:.3f}", id.substr(0, 4), 100 * part, run.progress.loss)
                    : fmt::format("  {} starts", id.substr(0, 4));
    }
    const double share = total_ > 0 ? static_cast<double>(done_) / total_ : 1;
    const double predicted_left = predicted_left_ + predicted_waiting_ + running_left;
    const double left = done > 0 ? predicted_left * elapsed() / done : 0;
    return fmt::format("[{}] {}/{} done, {} running{}  {:.3g} tokens/s  {}", progress_bar(share), done_, total_,
                       running_.size(), runs, tokens_per_second,
                       done > 0 ? spell_duration(left) + " left" : std::string{"time left unknown yet"});
}

}  // namespace loglog
