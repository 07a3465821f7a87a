#include "experiments/run/run_folder.hpp"

#include <signal.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>
#include <utility>

#include "db/files/publish.hpp"
#include "db/registry/external_run.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/curves.hpp"
#include "experiments/run/environment.hpp"

namespace loglog {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

fs::path journal_path(const fs::path& folder) { return folder / "journal.jsonl"; }

Json parse_file(const fs::path& path) {
    try {
        return Json::parse(read_file(path));
    } catch (const nlohmann::json::exception& error) { throw Error{path.string() + " is damaged: " + error.what()}; }
}

std::string hash_of(const std::string& text) {
    std::ostringstream digits;
    digits << std::hex << std::setw(16) << std::setfill('0') << XXH3_64bits(text.data(), text.size());
    return digits.str();
}

/// Field 22 of /proc/PID/stat, the process's start in clock ticks since boot; 0 if there is no such process, or only
/// what is left of it until its parent asks how it ended (a zombie).
std::int64_t start_ticks_of(std::int64_t pid) {
    std::ifstream stream{"/proc/" + std::to_string(pid) + "/stat"};
    std::string text;
    std::getline(stream, text);
    const std::size_t name_end = text.rfind(')');  // the name may hold spaces and parentheses
    if (name_end == std::string::npos) { return 0; }
    std::istringstream fields{text.substr(name_end + 1)};
    std::string field;
    fields >> field;
    if (field == "Z" || field == "X") { return 0; }
    for (int number = 4; number <= 22; ++number) { fields >> field; }
    return std::strtoll(field.c_str(), nullptr, 10);
}

/// What a journal says of the run's life.
struct LifeLine {
    const OpenedLine* opened = nullptr;
    const RunOwner* owner = nullptr;     ///< of the last start
    const ClosedLine* closed = nullptr;  ///< unless resumed since
};

LifeLine life_of(const Journal& journal) {
    LifeLine life;
    for (const JournalLine& line : journal.lines) {
        if (const auto* opened = std::get_if<OpenedLine>(&line)) {
            life = {opened, &opened->owner, nullptr};
        } else if (const auto* resumed = std::get_if<ResumedLine>(&line)) {
            life.owner = &resumed->owner;
            life.closed = nullptr;
        } else if (const auto* closed = std::get_if<ClosedLine>(&line)) {
            life.closed = closed;
        }
    }
    return life;
}

void fill_state(RunRecord& record, const LifeLine& life) {
    if (life.owner != nullptr) { record.host = life.owner->host; }
    if (life.closed != nullptr) {
        record.state = life.closed->state;
        record.state_reason = life.closed->reason;
        record.finished_at = life.closed->time;
        if (life.closed->peak_memory_bytes > 0) { record.peak_memory_bytes = life.closed->peak_memory_bytes; }
    } else if (life.owner != nullptr && !may_be_alive(*life.owner)) {
        record.state = RunState::stopped;
        record.state_reason = "its process ended without closing the run (killed?)";
    } else {
        record.state = RunState::running;
    }
}

std::optional<double> known(double number) { return std::isfinite(number) ? std::optional{number} : std::nullopt; }

/// Of the steps' own shares, weighted by the time each step took.
std::optional<double> mean_share_of_peak(const std::vector<StepLine>& steps) {
    double weighted = 0;
    double before = 0;
    for (const StepLine& step : steps) {
        weighted += step.share_of_peak * (step.seconds - before);
        before = step.seconds;
    }
    return before > 0 ? known(weighted / before) : std::nullopt;
}

void fill_measurements(RunRecord& record, const Curves& curves) {
    const StepLine last = curves.train.empty() ? StepLine{} : curves.train.back();
    record.steps = last.step;
    record.tokens = last.tokens;
    if (record.unique_tokens) { record.unique_tokens = std::min(*record.unique_tokens, last.tokens); }
    record.flops = last.flops;
    record.seconds = last.seconds;
    if (last.seconds > 0) { record.tokens_per_second = static_cast<double>(last.tokens) / last.seconds; }
    if (!curves.train.empty()) { record.final_train_loss = known(last.loss); }
    record.share_of_peak = mean_share_of_peak(curves.train);
    if (!curves.eval.empty()) {
        record.final_val_loss = known(curves.eval.back().val_loss);
        record.bits_per_byte = known(curves.eval.back().bits_per_byte);
        record.accuracy = curves.eval.back().accuracy;
        record.recall_loss = curves.eval.back().recall_loss;
    }
    for (const EvalLine& line : curves.eval) {
        if (std::isfinite(line.val_loss)) {
            record.best_val_loss = std::min(record.best_val_loss.value_or(line.val_loss), line.val_loss);
        }
    }
}

void fill_convention(RunRecord& record) {
    if (record.non_embedding_params && record.tokens) {
        record.flops_6nd =
            6.0 * static_cast<double>(*record.non_embedding_params) * static_cast<double>(*record.tokens);
    }
}

/// The record of a planned run, or of an external one, which is never anything but what it was imported as: run.json,
/// spec.json and tags.json.
RunRecord read_plan(const fs::path& folder) {
    RunRecord record;
    try {
        record = run_record_from_json(read_file(folder / "run.json"));
    } catch (const InputError& error) { throw Error{(folder / "run.json").string() + " is damaged: " + error.what()}; }
    record.spec = parse_file(folder / "spec.json").dump();
    record.tags = read_tags(folder);
    record.folder = (fs::path{"runs"} / record.id).string();
    if (!is_external(record)) { record.state = RunState::planned; }
    return record;
}

/// Adds what the journal knows to the record of a planned run.
RunRecord with_journal(RunRecord record, const fs::path& folder, const Journal& journal, const Curves& curves) {
    const LifeLine life = life_of(journal);
    if (life.opened == nullptr) { return record; }
    if (life.opened->spec_hash != hash_of(record.spec)) {
        throw Error{(folder / "spec.json").string() + " is not what the run was started with (hash " +
                    hash_of(record.spec) + ", journal says " + life.opened->spec_hash + ")"};
    }
    fill_state(record, life);
    fill_measurements(record, curves);
    fill_convention(record);
    return record;
}

std::vector<std::string> tidy_tags(std::vector<std::string> tags) {
    for (const std::string& tag : tags) {
        if (tag.empty() || tag.find_first_of(",\n") != std::string::npos) {
            throw InputError{"'" + tag + "' cannot be a tag: a tag is a text without commas and line ends"};
        }
    }
    std::sort(tags.begin(), tags.end());
    tags.erase(std::unique(tags.begin(), tags.end()), tags.end());
    return tags;
}

void refuse_if_busy(const fs::path& folder, const LifeLine& life) {
    if (life.closed != nullptr && life.closed->state == RunState::ok) {
        throw Error{"run " + folder.filename().string() + " is finished; it cannot be trained further"};
    }
    if (life.closed == nullptr && life.owner != nullptr && *life.owner != this_process() &&
        life.owner->host == host_name() && may_be_alive(*life.owner)) {
        throw Error{"run " + folder.filename().string() + " is being trained by process " +
                    std::to_string(life.owner->pid) + " on this machine; wait until it is done, or end it"};
    }
}

}  // namespace

fs::path run_folder(const fs::path& registry, std::string_view id) { return registry / "runs" / id; }

bool run_folder_exists(const fs::path& registry, std::string_view id) {
    std::error_code none;
    return fs::exists(run_folder(registry, id) / "run.json", none);
}

RunRecord create_run_folder(const fs::path& registry, RunRecord plan, std::string_view environment) {
    const fs::path folder = run_folder(registry, plan.id);
    std::error_code error;
    if (fs::exists(folder, error)) { throw InputError{"run " + plan.id + " exists already (" + folder.string() + ")"}; }
    const fs::path partial = folder.parent_path() / ("." + plan.id + ".partial");
    fs::remove_all(partial, error);
    fs::create_directories(partial, error);
    if (error) { throw Error{system_failure(partial, "creating the run's folder", error.value())}; }

    plan.state = RunState::planned;
    plan.created_at = utc_now();
    plan.host = host_name();
    fill_convention(plan);
    const std::string spec = std::exchange(plan.spec, "");
    const auto tags = std::exchange(plan.tags, {});
    try {
        write_file(partial / "spec.json", Json::parse(spec).dump(2) + "\n", Durability::process);
    } catch (const nlohmann::json::exception& fault) {
        throw InputError{"run " + plan.id + ": its specification is no JSON: " + fault.what()};
    }
    write_file(partial / "run.json", Json::parse(to_json(plan)).dump(2) + "\n", Durability::process);
    write_file(partial / "environment.json", environment, Durability::process);
    if (!tags.empty()) { write_tags(partial, tags); }
    fs::rename(partial, folder, error);
    if (error) { throw Error{system_failure(folder, "creating the run's folder", error.value())}; }
    return read_plan(folder);
}

RunRecord record_from_folder(const fs::path& folder) {
    RunRecord record = read_plan(folder);
    if (!fs::exists(journal_path(folder))) { return record; }
    const Journal journal = read_journal(journal_path(folder));
    return with_journal(std::move(record), folder, journal, curves_from(journal));
}

void complete_run_folder(const fs::path& folder, const RunRecord& record) {
    const bool ended = !record.finished_at.empty();
    if (!ended || is_external(record) || fs::exists(folder / "curves.h5")) { return; }
    write_curves(folder / "curves.h5", curves_from(read_journal(journal_path(folder))),
                 {record.id, record.spec, to_text(record.state)});
}

std::vector<std::string> read_tags(const fs::path& folder) {
    const fs::path path = folder / "tags.json";
    if (!fs::exists(path)) { return {}; }
    try {
        return parse_file(path).get<std::vector<std::string>>();
    } catch (const nlohmann::json::exception& error) { throw Error{path.string() + " is damaged: " + error.what()}; }
}

void write_tags(const fs::path& folder, std::vector<std::string> tags) {
    write_file(folder / "tags.json", Json(tidy_tags(std::move(tags))).dump() + "\n", Durability::process);
}

LiveRun::LiveRun(fs::path folder, JournalWriter journal) : folder_{std::move(folder)}, journal_{std::move(journal)} {}

LiveRun LiveRun::open(const fs::path& folder, std::int64_t resume_step) {
    const RunRecord plan = read_plan(folder);
    if (is_external(plan)) {
        throw InputError{"run " + plan.id + " was imported from another program; it cannot be trained here"};
    }
    const fs::path path = journal_path(folder);
    if (!fs::exists(path)) { JournalWriter::create(path); }
    const Journal journal = read_journal(path);
    const LifeLine life = life_of(journal);
    refuse_if_busy(folder, life);

    LiveRun run{folder, JournalWriter::append(path)};
    if (life.opened == nullptr) {
        run.journal_.write(OpenedLine{plan.id, code_version(), hash_of(plan.spec), utc_now(), this_process()});
    } else {
        run.journal_.write(ResumedLine{resume_step, utc_now(), this_process()});
        std::error_code ignored;
        fs::remove(folder / "curves.h5", ignored);
    }
    return run;
}

RunRecord LiveRun::close(const End& end) {
    Journal journal = read_journal(journal_path(folder_));
    const Curves curves = curves_from(journal);
    const std::int64_t steps = curves.train.empty() ? 0 : curves.train.back().step;
    const ClosedLine line{end.state, end.reason, utc_now(), steps, end.peak_memory_bytes};
    journal_.write(line);
    journal_.sync();
    journal.lines.push_back(line);
    RunRecord record = with_journal(read_plan(folder_), folder_, journal, curves);
    write_curves(folder_ / "curves.h5", curves, {record.id, record.spec, to_text(record.state)});
    return record;
}

RunOwner this_process() {
    const auto pid = static_cast<std::int64_t>(::getpid());
    return {host_name(), pid, start_ticks_of(pid)};
}

bool may_be_alive(const RunOwner& owner) {
    if (owner.host != host_name()) { return true; }
    if (::kill(static_cast<pid_t>(owner.pid), 0) != 0 && errno == ESRCH) { return false; }
    const std::int64_t ticks = start_ticks_of(owner.pid);
    return ticks != 0 && (owner.start_ticks == 0 || ticks == owner.start_ticks);
}

}  // namespace loglog
