#include "apps/loglog/probe_grid.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>

#include "engine/base/error.hpp"
#include "engine/base/nearest_name.hpp"
#include "experiments/spec/enum_names.hpp"

namespace loglog {
namespace {

/// "gdn", "gdn-3:1", "gdn-3:1-window".
struct Attention {
    std::string kind;
    std::int64_t every = 1;
    std::string minority = "dense";
};

void require_kind(const std::string& name) {
    std::vector<std::string> names;
    for (const auto& [kind, text] : EnumNames<AttentionKind>::values) { names.emplace_back(text); }
    if (std::find(names.begin(), names.end(), name) == names.end()) {
        throw InputError{fmt::format("--attention: there is no kind '{}'{}", name, did_you_mean(name, names))};
    }
}

Attention parse_attention(const std::string& text) {
    Attention attention;
    const std::size_t dash = text.find('-');
    attention.kind = text.substr(0, dash);
    require_kind(attention.kind);
    if (dash == std::string::npos) { return attention; }
    const std::string_view rest = std::string_view{text}.substr(dash + 1);
    std::int64_t majority = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), majority);
    const std::string_view after{end, static_cast<std::size_t>(rest.data() + rest.size() - end)};
    if (error != std::errc{} || majority < 1 || !after.starts_with(":1") || (after.size() > 2 && after[2] != '-')) {
        throw InputError{
            fmt::format("--attention: '{}' is no hybrid: write KIND-N:1, such as gdn-3:1 or gdn-3:1-window", text)};
    }
    attention.every = majority + 1;
    if (after.size() > 2) { attention.minority = after.substr(3); }
    require_kind(attention.minority);
    return attention;
}

/// How long examples are, how large, and how long a run sees them.
struct Level {
    std::int64_t context;
    std::int64_t size;
    std::int64_t batch;     // examples a step
    std::int64_t examples;  // that a run sees in all
};

struct Plan {
    std::vector<Level> levels;
    std::vector<std::int64_t> widths;
    std::string learning_rates;
    std::int64_t vocab;
    std::int64_t distinct_examples;
    std::int64_t test_examples;
    std::int64_t evaluations;
};

// Dense attention finds the answers all at once, after some 110,000 examples at the lower rate; docs/attention.md has
// the times.
Plan small_plan(ProbeTask task) {
    Plan plan{.levels = {{128, 8, 32, 192'000}},
              .widths = {64},
              .learning_rates = "[3e-3, 1e-2]",
              .vocab = 256,
              .distinct_examples = 100'000,
              .test_examples = 512,
              .evaluations = 20};
    if (task != ProbeTask::mqar) { plan.levels.front().size = 16; }
    if (task == ProbeTask::induction) { plan.levels.front().size = 1; }
    return plan;
}

// As Arora et al. 2023 (Zoology, arXiv:2312.04927) do: 100,000 training and 3,000 test examples, at most 64 epochs.
Plan full_plan(ProbeTask task) {
    Plan plan{.levels = {{64, 4, 512, 6'400'000},
                         {128, 8, 256, 6'400'000},
                         {256, 16, 128, 6'400'000},
                         {512, 64, 64, 6'400'000},
                         {1'024, 256, 32, 6'400'000}},
              .widths = {64, 128, 256, 512},
              .learning_rates = "[1e-4, 4.64e-4, 2.15e-3, 1e-2]",
              .vocab = 8'192,
              .distinct_examples = 100'000,
              .test_examples = 3'000,
              .evaluations = 128};
    if (task == ProbeTask::mqar) { return plan; }
    if (task == ProbeTask::induction) {
        plan.levels = {{256, 1, 128, 6'400'000}};
    } else {
        plan.levels = {{513, 64, 64, 6'400'000}};  // tests of 64, 128 and 256 letters
    }
    return plan;
}

std::string attention_axis(const std::vector<std::string>& attentions) {
    std::string points;
    for (const std::string& text : attentions) {
        const Attention attention = parse_attention(text);
        points += fmt::format("  [\"{}\", {}, \"{}\", {}],\n", attention.kind, attention.every, attention.minority,
                              std::max<std::int64_t>(2, attention.every));
    }
    return fmt::format(
        "vary.\"model.attention.kind, model.attention.every, model.attention.minority, model.layers\" = [\n{}]\n",
        points);
}

const char* const level_keys[] = {"model.context", "data.probe.size",   "train.batch_tokens",
                                  "train.tokens",  "train.eval_tokens", "train.eval_every"};

std::vector<std::int64_t> level_values(const Plan& plan, const Level& level) {
    const std::int64_t steps = level.examples / level.batch;
    return {level.context,
            level.size,
            level.batch * level.context,
            steps * level.batch * level.context,
            plan.test_examples * level.context,
            std::max<std::int64_t>(1, steps / plan.evaluations)};
}

/// What differs between levels varies; of a single one it is the same for all runs, which --set can then override.
std::string level_text(const Plan& plan) {
    if (plan.levels.size() == 1) {
        const auto values = level_values(plan, plan.levels.front());
        std::string text;
        for (std::size_t i = 0; i < values.size(); ++i) { text += fmt::format("{} = {}\n", level_keys[i], values[i]); }
        return text;
    }
    std::string points;
    for (const Level& level : plan.levels) {
        points += fmt::format("  [{}],\n", fmt::join(level_values(plan, level), ", "));
    }
    return fmt::format("vary.\"{}\" = [\n{}]\n", fmt::join(level_keys, ", "), points);
}

std::string width_text(const Plan& plan) {
    if (plan.widths.size() == 1) { return fmt::format("model.width = {}\n", plan.widths.front()); }
    return fmt::format("vary.\"model.width\" = [{}]\n", fmt::join(plan.widths, ", "));
}

}  // namespace

std::string name_of(const ProbeGrid& grid) {
    return fmt::format("probe-{}-{}", to_string(grid.task), grid.size == GridSize::small ? "small" : "full");
}

std::string sweep_text(const ProbeGrid& grid) {
    const Plan plan = grid.size == GridSize::small ? small_plan(grid.task) : full_plan(grid.task);
    // Copies are tested on longer strings than they are trained on, at positions that no table has learned.
    const bool generalises = grid.task == ProbeTask::copy || grid.task == ProbeTask::palindrome;
    return fmt::format(
               "sweep.name = \"{}\"\nsweep.kind = \"grid\"\n"
               "data.probe.task = \"{}\"\ndata.probe.vocab = {}\ndata.probe.examples = {}\ndata.probe.stop_at = 0.995\n"
               "model.head_dim = 64\nmodel.norm = \"layer\"\nmodel.positions = \"{}\"\nmodel.activation = \"none\"\n"
               "train.schedule.kind = \"wsd\"\ntrain.schedule.warmup = 0.05\n",
               name_of(grid), to_string(grid.task), plan.vocab, plan.distinct_examples,
               generalises ? "rotary" : "learned") +
           attention_axis(grid.attentions) + level_text(plan) + width_text(plan) +
           fmt::format("vary.\"train.optimizer.lr\" = {}\n", plan.learning_rates);
}

std::string published_recall(const std::string& attention) {
    // Accuracy at state sizes in numbers, read from the figures of arXiv:2312.04927 and arXiv:2402.18668.
    static const std::map<std::string, std::string> published{{"dense", "1.00 for T <= 512"},
                                                              {"window", "0.65 at 131k"},
                                                              {"ssd", "0.52 at 8k, 0.69 at 16k, 0.83 at 65k"},
                                                              {"deltanet", "0.79 at 9k, 0.96 at 34k"},
                                                              {"gdn", "0.89 at 17k, 0.99 at 66k"}};
    const auto found = published.find(attention);
    return found == published.end() ? std::string{} : found->second;
}

}  // namespace loglog
