#include "analysis/inference/checks_runs.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <tuple>

namespace loglog {
namespace {

constexpr double longest_warmup = 0.1;   // of a run's steps
constexpr double same_share = 2;         // factor between runs within which all are treated alike
constexpr double one_pass = 1.001;       // tokens per unique token: the last batch may wrap around
constexpr std::size_t fewest_rates = 3;  // of a search that can have a best inside
constexpr std::size_t most_named = 5;

/// What the specification says of the learning rate over a run; nothing where it is not recorded.
struct RecordedSchedule {
    std::string kind;  ///< "constant", "cosine", "wsd", or another program's name
    std::optional<double> warmup;
    std::optional<double> cooldown;
    std::optional<double> min_ratio;
    std::string decay;
};

std::optional<double> number_at(const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number() ? std::optional{found->get<double>()} : std::nullopt;
}

std::string text_at(const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

std::optional<RecordedSchedule> schedule_of(const RunRecord& run) {
    const auto spec = nlohmann::json::parse(run.spec, nullptr, false);
    if (!spec.is_object()) { return std::nullopt; }
    const auto place = nlohmann::json::json_pointer{"/train/schedule"};
    if (!spec.contains(place) || !spec.at(place).is_object()) { return std::nullopt; }
    const auto& schedule = spec.at(place);
    return RecordedSchedule{text_at(schedule, "kind"), number_at(schedule, "warmup"), number_at(schedule, "cooldown"),
                            number_at(schedule, "min_ratio"), text_at(schedule, "decay")};
}

/// Share of the run's steps that warm-up takes: below 1 `warmup` is that share, from 1 on a number of steps.
std::optional<double> warmup_share(const RunRecord& run, const RecordedSchedule& schedule) {
    if (!schedule.warmup) { return std::nullopt; }
    if (*schedule.warmup < 1) { return schedule.warmup; }
    const auto steps = run.planned_steps ? run.planned_steps : run.steps;
    if (!steps || *steps <= 0) { return std::nullopt; }
    return std::min(1.0, *schedule.warmup / static_cast<double>(*steps));
}

/// "constant", or what the decay is, as far as it changes where the loss ends.
std::string describe(const RecordedSchedule& s) {
    std::string text = s.kind;
    if (s.kind == "wsd") { text += fmt::format(" {:g} {}", s.cooldown.value_or(0), s.decay); }
    if (s.kind != "constant" && s.min_ratio.value_or(0) > 0) { text += fmt::format(" to {:g}", *s.min_ratio); }
    return text;
}

/// Whether the last loss was measured with the learning rate well below its peak.
bool has_decayed(const RunRecord& run, const RecordedSchedule& s) {
    const bool is_complete = !run.steps || !run.planned_steps || *run.steps >= *run.planned_steps;
    if (s.kind == "constant" || !is_complete) { return false; }
    if (s.kind == "wsd" && s.cooldown.value_or(1) <= 0) { return false; }
    return s.min_ratio.value_or(0) < 0.5;
}

std::string some_of(const std::vector<std::string>& ids) {
    const std::vector<std::string> named(ids.begin(),
                                         ids.begin() + static_cast<std::ptrdiff_t>(std::min(ids.size(), most_named)));
    return fmt::format("{}{}", fmt::join(named, ", "), ids.size() > most_named ? ", ..." : "");
}

using Finished = std::vector<const RunRecord*>;

void check_warmup(const Finished& runs, std::vector<Warning>& found) {
    std::vector<std::string> long_ones;
    double longest = 0;
    double shortest = 1;
    for (const RunRecord* run : runs) {
        const auto schedule = schedule_of(*run);
        const auto share = schedule ? warmup_share(*run, *schedule) : std::nullopt;
        if (!share) { continue; }
        longest = std::max(longest, *share);
        shortest = std::min(shortest, *share);
        if (*share > longest_warmup) { long_ones.push_back(run->id); }
    }
    if (long_ones.empty() || longest < same_share * shortest) { return; }
    found.push_back(
        {"long_warmup",
         fmt::format("warm-up takes up to {:.0f}% of the steps of some runs and {:.1g}% of others': the short "
                     "runs end too high, which steepens the law ({} runs above {:.0f}%: {}); give it as a "
                     "share of the run",
                     100 * longest, 100 * shortest, long_ones.size(), 100 * longest_warmup, some_of(long_ones))});
}

void check_schedules(const Finished& runs, std::vector<Warning>& found) {
    std::map<std::string, int> kinds;
    std::vector<std::string> undecayed;
    std::size_t decayed = 0;
    for (const RunRecord* run : runs) {
        const auto schedule = schedule_of(*run);
        if (!schedule || schedule->kind.empty()) { continue; }
        ++kinds[describe(*schedule)];
        if (has_decayed(*run, *schedule)) {
            ++decayed;
        } else {
            undecayed.push_back(run->id);
        }
    }
    if (kinds.size() > 1) {
        std::vector<std::string> parts;
        for (const auto& [kind, count] : kinds) { parts.push_back(fmt::format("{} {}", count, kind)); }
        found.push_back({"mixed_schedules",
                         fmt::format("the runs differ in learning-rate schedule ({}): where a loss ends depends on it; "
                                     "choose one with --where",
                                     fmt::join(parts, ", "))});
    }
    if (decayed > 0 && !undecayed.empty()) {
        found.push_back(
            {"undecayed_losses_mixed",
             fmt::format("{} of {} losses were measured before the learning rate decayed ({}): they lie higher "
                         "than the others for that reason alone",
                         undecayed.size(), undecayed.size() + decayed, some_of(undecayed))});
    }
}

void check_repetition(const Finished& runs, std::vector<Warning>& found) {
    std::vector<std::string> repeated;
    double most = 1;
    for (const RunRecord* run : runs) {
        if (!run->tokens || !run->unique_tokens || *run->unique_tokens <= 0) { continue; }
        const double passes = static_cast<double>(*run->tokens) / static_cast<double>(*run->unique_tokens);
        if (passes <= one_pass) { continue; }
        repeated.push_back(run->id);
        most = std::max(most, passes);
    }
    if (repeated.empty()) { return; }
    found.push_back({"repeated_data",
                     fmt::format("{} of {} runs saw their tokens more than once, up to {:.3g} times ({}): a repeated "
                                 "token is worth less than a new one; see --law data-constrained",
                                 repeated.size(), runs.size(), most, some_of(repeated))});
}

/// Losses by learning rate at one size and token count.
struct RateCell {
    std::string name;
    std::map<double, std::multimap<std::int64_t, double>> losses;  ///< rate -> seed -> loss
};

/// Mean loss by learning rate, of the seeds that every rate was tried with: a seed's luck is no merit of a rate. Of all
/// seeds where there is none such.
std::map<double, double> mean_losses(const RateCell& cell) {
    const auto is_shared = [&](std::int64_t seed) {
        return std::all_of(cell.losses.begin(), cell.losses.end(),
                           [seed](const auto& rate) { return rate.second.contains(seed); });
    };
    const auto& first = cell.losses.begin()->second;
    const bool any_shared =
        std::any_of(first.begin(), first.end(), [&](const auto& entry) { return is_shared(entry.first); });
    std::map<double, double> means;
    for (const auto& [rate, losses] : cell.losses) {
        double sum = 0;
        int count = 0;
        for (const auto& [seed, loss] : losses) {
            if (any_shared && !is_shared(seed)) { continue; }
            sum += loss;
            ++count;
        }
        means[rate] = sum / count;
    }
    return means;
}

std::vector<RateCell> rate_cells(const Finished& runs) {
    using Key = std::tuple<std::int64_t, std::int64_t, long long, std::string>;
    std::map<Key, RateCell> cells;
    for (const RunRecord* run : runs) {
        if (!run->lr || !run->final_val_loss || !run->non_embedding_params || !run->tokens) { continue; }
        // Token counts within a hundredth are one: rounding to whole batches makes them differ.
        const auto tokens = std::llround(std::log(static_cast<double>(*run->tokens)) * 100);
        const Key key{*run->non_embedding_params, run->layers.value_or(0), tokens, run->attention};
        RateCell& cell = cells[key];
        cell.name = fmt::format("N = {:.3g}, D = {:.3g}", static_cast<double>(*run->non_embedding_params),
                                static_cast<double>(*run->tokens));
        cell.losses[*run->lr].emplace(run->seed.value_or(0), *run->final_val_loss);
    }
    std::vector<RateCell> list;
    for (auto& [key, cell] : cells) { list.push_back(std::move(cell)); }
    return list;
}

void check_mixed_rates(const Finished& runs, std::vector<Warning>& found) {
    std::vector<std::string> several;
    for (const RateCell& cell : rate_cells(runs)) {
        if (cell.losses.size() > 1) { several.push_back(cell.name); }
    }
    if (several.empty()) { return; }
    found.push_back({"mixed_learning_rates",
                     fmt::format("at {} sizes runs differ in learning rate ({}): all of them enter, the badly tuned "
                                 "with the best; choose one a size with --where",
                                 several.size(), some_of(several))});
}

void check_search(const Finished& tried, std::vector<Warning>& found) {
    std::vector<std::string> at_edge;
    for (const RateCell& cell : rate_cells(tried)) {
        if (cell.losses.size() < fewest_rates) { continue; }
        const auto means = mean_losses(cell);
        const auto best = std::min_element(
            means.begin(), means.end(), [](const auto& left, const auto& right) { return left.second < right.second; });
        if (best == means.begin() || std::next(best) == means.end()) {
            at_edge.push_back(fmt::format("{}: {:g}", cell.name, best->first));
        }
    }
    if (at_edge.empty()) { return; }
    found.push_back({"untuned_learning_rate",
                     fmt::format("at {} sizes the best learning rate is the lowest or highest that was tried ({}): a "
                                 "better one may lie beyond, and the loss is too high by what it would gain",
                                 at_edge.size(), some_of(at_edge))});
}

void append_finished(std::span<const RunRecord> runs, Finished& finished) {
    for (const RunRecord& run : runs) {
        if (run.state == RunState::ok) { finished.push_back(&run); }
    }
}

}  // namespace

std::vector<Warning> hygiene_warnings(std::span<const RunRecord> runs, std::span<const RunRecord> searches) {
    Finished finished;
    append_finished(runs, finished);
    Finished tried = finished;
    append_finished(searches, tried);
    std::vector<Warning> found;
    check_warmup(finished, found);
    check_schedules(finished, found);
    check_repetition(finished, found);
    check_mixed_rates(finished, found);
    check_search(tried, found);
    return found;
}

}  // namespace loglog
