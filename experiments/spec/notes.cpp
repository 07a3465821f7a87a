#include "experiments/spec/notes.hpp"

#include <fmt/format.h>

#include <set>

#include "engine/kernels/attention_mask.hpp"
#include "experiments/spec/enum_names.hpp"

namespace loglog {
namespace {

/// Whether every query sees all keys up to itself.
bool hides_nothing(AttentionKind kind, const ModelSpec& model) {
    const AttentionSpec& a = model.attention;
    const std::int64_t time = model.context;
    switch (kind) {
        case AttentionKind::window:
            return window_mask(time, a.window, a.sinks).is_dense();
        case AttentionKind::strided:
            return strided_mask(time, a.stride).is_dense();
        case AttentionKind::fixed:
            return fixed_mask(time, a.block, a.summary).is_dense();
        case AttentionKind::dilated:
            return dilated_mask(time, a.window, a.stride).is_dense();
        case AttentionKind::bigbird: {
            const BigBirdOptions options{a.block, a.global_blocks, a.random_blocks};
            return bigbird_mask(time, options, Seed{0}, 0, 0, 1).is_dense();
        }
        case AttentionKind::pattern:
            return pattern_mask(time, a.pattern).is_dense();
        case AttentionKind::moba:
            return a.top_k >= (time + a.block - 1) / a.block;
        default:
            return false;
    }
}

}  // namespace

std::vector<std::string> notes(const RunSpec& resolved) {
    std::vector<std::string> found;
    const auto kinds = layer_kinds(resolved.model);
    for (const AttentionKind kind : std::set<AttentionKind>{kinds.begin(), kinds.end()}) {
        if (!hides_nothing(kind, resolved.model)) { continue; }
        found.push_back(
            fmt::format("model.attention: with these settings {} sees all keys of a context of {}, so it is "
                        "dense attention",
                        name_of(kind), resolved.model.context));
    }
    return found;
}

}  // namespace loglog
