#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "engine/base/error.hpp"
#include "experiments/spec/fields.hpp"
#include "sweeps/plan/neighbours.hpp"
#include "sweeps/space/expand.hpp"

namespace loglog {
namespace {

using Runs = std::vector<RunSpec>;

/// Runs alike in what is written and in what trains them: the name is free text, the seed is the sweep's.
RunSpec without_seed(RunSpec spec) {
    spec.train.seed = TrainSpec{}.seed;
    spec.name.clear();
    return spec;
}

/// Takes out what follows from other keys, where it does so in all runs.
void forget(Runs& written, const Runs& meant, std::string_view key) {
    Runs shorter = written;
    for (RunSpec& spec : shorter) { assign(spec, key, {std::int64_t{0}}, RangeCheck::no); }
    const auto resolves = [](const RunSpec& one, const RunSpec& other) {
        try {
            return resolve(one, other.model.vocab) == other;
        } catch (const InputError&) { return false; }
    };
    if (std::equal(shorter.begin(), shorter.end(), meant.begin(), resolves)) { written = std::move(shorter); }
}

Runs shortest(const Runs& meant) {
    Runs written = meant;
    for (const char* key : {"model.heads", "model.head_dim", "model.kv_heads", "model.mlp_width",
                            "train.mup.base_head_dim", "train.eval_every"}) {
        forget(written, meant, key);
    }
    return written;
}

// A sweep derives layers, and qkv_bias follows bias, where they are not written; size and tokens are what readers look
// for.
constexpr std::array<std::string_view, 4> always{"model.layers", "model.width", "model.qkv_bias", "train.tokens"};

struct Keys {
    std::vector<std::string> varying;
    std::vector<std::string> constant;
};

Keys keys_of(const Runs& runs) {
    const RunSpec defaults;
    Keys keys;
    for (const std::string& key : field_keys()) {
        const FieldValue first = value_of(runs.front(), key);
        const bool varies =
            std::any_of(runs.begin(), runs.end(), [&](const RunSpec& run) { return value_of(run, key) != first; });
        const bool shown = std::find(always.begin(), always.end(), key) != always.end();
        const bool is_default = first == value_of(defaults, key);
        if (varies) {
            keys.varying.push_back(key);
        } else if (shown || !is_default) {
            keys.constant.push_back(key);
        }
    }
    return keys;
}

std::string constants(const RunSpec& run, const std::vector<std::string>& keys, std::span<const std::int64_t> seeds) {
    std::string text;
    for (const std::string_view table : {"data", "model", "train", "layout"}) {
        std::string lines;
        for (const std::string& key : keys) {
            if (!key.starts_with(std::string{table} + ".")) { continue; }
            lines += fmt::format("{} = {}\n", key.substr(table.size() + 1), to_text(value_of(run, key)));
        }
        if (table == "train") { lines += fmt::format("seeds = [{}]\n", fmt::join(seeds, ", ")); }
        if (!lines.empty()) { text += fmt::format("\n[{}]\n{}", table, lines); }
    }
    return text;
}

std::string axis(const Runs& runs, const std::vector<std::string>& keys) {
    if (keys.empty()) { return {}; }
    std::string text = fmt::format("\n[vary]\n\"{}\" = [\n", fmt::join(keys, ", "));
    for (const RunSpec& run : runs) {
        std::vector<std::string> values;
        for (const std::string& key : keys) { values.push_back(to_text(value_of(run, key))); }
        text += keys.size() == 1 ? fmt::format("    {},\n", values[0])
                                 : fmt::format("    [{}],\n", fmt::join(values, ", "));
    }
    return text + "]\n";
}

/// A file that says something else than was advised would be worse than none.
void require_same(const std::string& text, const std::string& name, const Runs& meant, std::size_t seeds) {
    const Expansion read = expand(
        parse_sweep_spec(text, name), [&](const RunSpec&) { return meant.front().model.vocab; },
        [](const RunSpec&) { return ModelSize{}; });
    const auto alike = [](const RunSpec& one, const RunSpec& other) { return without_seed(one) == other; };
    bool is_same = read.runs.size() == meant.size() * seeds;
    for (std::size_t i = 0; is_same && i < read.runs.size(); ++i) { is_same = alike(read.runs[i], meant[i / seeds]); }
    if (!is_same) { throw Error{"the sweep file written for '" + name + "' reads back as other runs:\n" + text}; }
}

}  // namespace

std::string sweep_file(const std::string& name, std::span<const RunSpec> runs, std::span<const std::int64_t> seeds,
                       const std::string& adds_to, std::span<const std::string> remarks) {
    Runs meant;
    for (const RunSpec& run : runs) { meant.push_back(without_seed(run)); }
    const Runs written = shortest(meant);
    const Keys keys = keys_of(written);
    std::string text;
    for (const std::string& remark : remarks) { text += remark.empty() ? "#\n" : "# " + remark + "\n"; }
    text += fmt::format("[sweep]\nname = {}\nkind = \"grid\"\nadds_to = {}\n", to_text({name}), to_text({adds_to}));
    text += axis(written, keys.varying) + constants(written.front(), keys.constant, seeds);
    require_same(text, name, meant, seeds.size());
    return text;
}

}  // namespace loglog
