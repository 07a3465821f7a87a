#include <fmt/format.h>

#include "experiments/spec/enum_names.hpp"
#include "experiments/spec/resolve_parts.hpp"

namespace loglog {

std::string attention_name(const AttentionSpec& attention) {
    if (!attention.label.empty()) { return attention.label; }
    if (!attention.layers.empty()) { return "mixed"; }
    if (attention.every < 2) { return name_of(attention.kind); }
    const std::string hybrid = fmt::format("{}-{}:1", name_of(attention.kind), attention.every - 1);
    return attention.minority == AttentionKind::dense ? hybrid : hybrid + "-" + name_of(attention.minority);
}

namespace detail {

void check_attention(const RunSpec&, std::vector<SpecProblem>&) {}

void resolve_attention(RunSpec&, std::vector<SpecProblem>&) {}

}  // namespace detail
}  // namespace loglog
