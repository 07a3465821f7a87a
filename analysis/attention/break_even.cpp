#include "analysis/attention/break_even.hpp"

#include <nlohmann/json.hpp>

namespace loglog {

std::optional<double> break_even_context(std::string_view kind, double head_dim, double chunk) {
    const double d = head_dim;
    const double c = chunk;
    if (!(d > 0) || !(c > 0)) { return std::nullopt; }
    const auto among = [&](auto... names) { return ((kind == names) || ...); };
    if (among("retention", "lightning", "ssd", "gla")) { return 2 * d + c; }
    if (among("elu", "relu")) { return 2 * d + c + 2; }
    if (among("deltanet", "gdn")) { return 3 * d + 2.5 * c + c * c / (6 * d) - 1; }
    return std::nullopt;
}

MixingShape mixing_shape(const RunRecord& record) {
    MixingShape shape;
    const auto spec = nlohmann::json::parse(record.spec, nullptr, /*allow_exceptions=*/false);
    const nlohmann::json::json_pointer attention{"/model/attention"};
    if (!spec.is_object() || !spec.contains(attention) || !spec.at(attention).is_object()) { return shape; }
    const auto& said = spec.at(attention);
    if (said.contains("layers") && said["layers"].is_array() && !said["layers"].empty()) { return shape; }
    if (said.contains("kind") && said["kind"].is_string()) { shape.kind = said["kind"].get<std::string>(); }
    if (said.contains("chunk") && said["chunk"].is_number()) { shape.chunk = said["chunk"].get<double>(); }
    shape.head_dim = static_cast<double>(record.head_dim.value_or(0));
    return shape;
}

}  // namespace loglog
