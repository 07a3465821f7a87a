#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <optional>

#include "engine/base/error.hpp"
#include "engine/base/nearest_name.hpp"
#include "engine/kernels/attention_mask.hpp"
#include "experiments/spec/enum_names.hpp"
#include "experiments/spec/resolve_parts.hpp"

namespace loglog {
namespace {

std::optional<AttentionKind> kind_named(std::string_view name) {
    for (const auto& [kind, known] : EnumNames<AttentionKind>::values) {
        if (known == name) { return kind; }
    }
    return std::nullopt;
}

/// The kinds of a model's layers, as a set.
class Kinds {
  public:
    explicit Kinds(const ModelSpec& model) : kinds_{layer_kinds(model)} {}

    bool any_of(std::initializer_list<AttentionKind> wanted) const {
        return std::ranges::any_of(kinds_,
                                   [&](AttentionKind kind) { return std::ranges::find(wanted, kind) != wanted.end(); });
    }
    bool any_linear() const {
        return std::ranges::any_of(kinds_, [](AttentionKind kind) { return !is_softmax(kind); });
    }
    bool any_softmax() const { return std::ranges::any_of(kinds_, is_softmax); }
    bool all_equal() const { return std::ranges::count(kinds_, kinds_.front()) == std::ssize(kinds_); }
    AttentionKind first() const { return kinds_.front(); }

    /// What `default_of` says of the linear kinds if they agree, else nothing.
    template <class DefaultOf>
    std::optional<std::int64_t> common_default(const DefaultOf& default_of) const {
        std::optional<std::int64_t> common;
        for (const auto kind : kinds_) {
            if (is_softmax(kind)) { continue; }
            const auto value = static_cast<std::int64_t>(default_of(kind));
            if (common && *common != value) { return std::nullopt; }
            common = value;
        }
        return common;
    }

  private:
    std::vector<AttentionKind> kinds_;
};

using Problems = std::vector<SpecProblem>;

void check_layers(const ModelSpec& model, Problems& problems) {
    const auto& attention = model.attention;
    if (!attention.layers.empty() && std::ssize(attention.layers) != model.layers) {
        problems.push_back({{},
                            "model.attention.layers",
                            fmt::format("has {} kinds but must have one for each of the model's {} layers",
                                        attention.layers.size(), model.layers)});
    }
    std::vector<std::string> names;
    for (const auto& [kind, name] : EnumNames<AttentionKind>::values) { names.emplace_back(name); }
    for (const auto& name : attention.layers) {
        if (kind_named(name)) { continue; }
        problems.push_back({{},
                            "model.attention.layers",
                            fmt::format("has \"{}\" but kinds are {}{}", name, alternatives<AttentionKind>(),
                                        did_you_mean(name, names))});
    }
    if (!attention.layers.empty() || attention.every < 2) { return; }
    if (attention.minority != AttentionKind::dense && attention.minority != AttentionKind::window) {
        problems.push_back({{},
                            "model.attention.minority",
                            fmt::format("is \"{}\" but must be dense or window (for other mixtures give "
                                        "model.attention.layers)",
                                        name_of(attention.minority))});
    }
    if (attention.every > model.layers) {
        problems.push_back({{},
                            "model.attention.every",
                            fmt::format("is {} but the model has {} layers, so that none would be {}", attention.every,
                                        model.layers, name_of(attention.minority))});
    } else if (model.layers % attention.every != 0) {
        problems.push_back(
            {{},
             "model.attention.every",
             fmt::format(
                 "is {} but must divide model.layers = {}: every group of {} layers ends in a {} one (for other "
                 "mixtures give model.attention.layers)",
                 attention.every, model.layers, attention.every, name_of(attention.minority))});
    }
}

void check_blocks(const ModelSpec& model, const Kinds& kinds, Problems& problems) {
    const auto& attention = model.attention;
    if (kinds.any_of({AttentionKind::fixed, AttentionKind::bigbird, AttentionKind::moba}) &&
        attention.block > model.context) {
        problems.push_back(
            {{},
             "model.attention.block",
             fmt::format("is {} keys but must be at most model.context = {}", attention.block, model.context)});
    }
    if (kinds.any_of({AttentionKind::fixed}) && attention.summary > attention.block) {
        problems.push_back({{},
                            "model.attention.summary",
                            fmt::format("is {} keys of a block but must be at most model.attention.block = {}",
                                        attention.summary, attention.block)});
    }
}

/// A resolved spec holds the pattern's text, which ends its last line; no file is called that.
bool is_pattern_text(const std::string& pattern) { return pattern.find('\n') != std::string::npos; }

/// The text of a pattern; nothing, and a problem, if it cannot be read or used.
std::optional<std::string> pattern_text(const ModelSpec& model, Problems& problems) {
    constexpr const char* key = "model.attention.pattern";
    const auto& pattern = model.attention.pattern;
    if (pattern.empty()) {
        problems.push_back(
            {{}, key, "is not given, but attention of kind 'pattern' reads which keys are seen from it"});
        return std::nullopt;
    }
    std::string text = pattern;
    if (!is_pattern_text(pattern)) {
        std::ifstream file{pattern};
        text.assign(std::istreambuf_iterator<char>{file}, {});
        if (!file.is_open() || file.bad()) {
            problems.push_back({{}, key, fmt::format("is \"{}\" but there is no such file that can be read", pattern)});
            return std::nullopt;
        }
        if (!text.ends_with('\n')) { text += '\n'; }
    }
    try {
        pattern_mask(model.context, text);
    } catch (const InputError& error) {
        problems.push_back({{}, key, error.what()});
        return std::nullopt;
    }
    return text;
}

/// Keys that no layer reads go back to their defaults, so that they make no difference to a run's identity.
void forget_unread(AttentionSpec& attention, const Kinds& kinds) {
    using enum AttentionKind;
    const AttentionSpec defaults;
    const auto unless = [](bool read, auto& field, const auto& value) {
        if (!read) { field = value; }
    };
    unless(kinds.any_of({window, dilated}), attention.window, defaults.window);
    unless(kinds.any_of({window}), attention.sinks, defaults.sinks);
    unless(kinds.any_of({strided, dilated}), attention.stride, defaults.stride);
    unless(kinds.any_of({fixed, bigbird, moba}), attention.block, defaults.block);
    unless(kinds.any_of({fixed}), attention.summary, defaults.summary);
    unless(kinds.any_of({bigbird}), attention.global_blocks, defaults.global_blocks);
    unless(kinds.any_of({bigbird}), attention.random_blocks, defaults.random_blocks);
    unless(kinds.any_of({moba}), attention.top_k, defaults.top_k);
    unless(kinds.any_of({performer}), attention.features, defaults.features);
    unless(kinds.any_of({pattern}), attention.pattern, defaults.pattern);
    unless(kinds.any_linear(), attention.chunk, defaults.chunk);
    unless(kinds.any_linear(), attention.conv, defaults.conv);
    unless(kinds.any_linear(), attention.output_gate, defaults.output_gate);
    unless(kinds.any_of({deltanet, gdn}), attention.negative_eigenvalues, defaults.negative_eigenvalues);
}

/// One way to say what the layers are: no list where all are of a kind, no minority where there is none.
void say_layers_once(AttentionSpec& attention, const Kinds& kinds) {
    const AttentionSpec defaults;
    if (kinds.all_equal()) {
        attention.kind = kinds.first();
        attention.layers.clear();
    }
    if (kinds.all_equal() || !attention.layers.empty()) {
        attention.every = defaults.every;
        attention.minority = defaults.minority;
    }
    if (!attention.layers.empty()) { attention.kind = defaults.kind; }
}

}  // namespace

std::string attention_name(const AttentionSpec& attention) {
    if (!attention.label.empty()) { return attention.label; }
    if (!attention.layers.empty()) { return "mixed"; }
    if (attention.every < 2) { return name_of(attention.kind); }
    const std::string hybrid = fmt::format("{}-{}:1", name_of(attention.kind), attention.every - 1);
    return attention.minority == AttentionKind::dense ? hybrid : hybrid + "-" + name_of(attention.minority);
}

std::vector<AttentionKind> layer_kinds(const ModelSpec& model) {
    const auto& attention = model.attention;
    std::vector<AttentionKind> kinds;
    for (std::int64_t layer = 0; layer < model.layers; ++layer) {
        if (layer < std::ssize(attention.layers)) {
            const auto& name = attention.layers[static_cast<std::size_t>(layer)];
            kinds.push_back(kind_named(name).value_or(AttentionKind::dense));
        } else {
            const bool is_minority = attention.every >= 2 && (layer + 1) % attention.every == 0;
            kinds.push_back(is_minority ? attention.minority : attention.kind);
        }
    }
    return kinds;
}

namespace detail {

void check_attention(const RunSpec& spec, Problems& problems) {
    const ModelSpec& model = spec.model;
    check_layers(model, problems);
    const Kinds kinds{model};
    check_blocks(model, kinds, problems);
    if (kinds.any_of({AttentionKind::pattern})) { pattern_text(model, problems); }
    if (spec.train.document_boundaries && model.positions == PositionKind::learned) {
        problems.push_back(
            {{},
             "train.document_boundaries",
             "is true but model.positions is learned: a table of positions would go on counting over the "
             "boundaries; take rotary or none"});
    }
    if (spec.train.document_boundaries && kinds.any_of({AttentionKind::window}) && model.attention.sinks > 0) {
        problems.push_back(
            {{},
             "model.attention.sinks",
             fmt::format("is {} but must be 0 with train.document_boundaries: sinks are the first keys of "
                         "a window of text, which its later documents do not see",
                         model.attention.sinks)});
    }
    if (model.activation == ActivationKind::none && model.mlp_width != 0) {
        problems.push_back({{},
                            "model.mlp_width",
                            fmt::format("is {} but model.activation is none: there is no MLP", model.mlp_width)});
    }
}

void resolve_attention(RunSpec& spec, Problems& problems) {
    ModelSpec& model = spec.model;
    AttentionSpec& attention = model.attention;
    const Kinds kinds{model};
    say_layers_once(attention, kinds);
    forget_unread(attention, kinds);
    if (kinds.any_of({AttentionKind::pattern})) {
        if (auto text = pattern_text(model, problems)) { attention.pattern = std::move(*text); }
    }
    if (kinds.any_linear()) {
        if (attention.conv < 0) { attention.conv = kinds.common_default(default_conv).value_or(-1); }
        if (attention.output_gate < 0) {
            attention.output_gate = kinds.common_default(default_output_gate).value_or(-1);
        }
    }
    const bool turns_softmax_of_hybrid =
        model.positions == PositionKind::rotary && kinds.any_linear() && kinds.any_softmax();
    if (!turns_softmax_of_hybrid) { attention.rotary_in_hybrid = true; }
    // A width that somebody chose is everybody's; softmax attention never has more parameters than dense.
    if (!kinds.any_linear()) { attention.match_parameters = true; }
    if (kinds.any_linear() && model.mlp_width != default_mlp_width(model)) { attention.match_parameters = false; }
}

}  // namespace detail
}  // namespace loglog
