#include "analysis/attention/bench_points.hpp"

#include <nlohmann/json.hpp>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

using Json = nlohmann::json;

std::optional<double> number(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number() ? std::optional{found->get<double>()} : std::nullopt;
}

}  // namespace

std::vector<BenchKind> parse_bench(std::string_view json, const std::string& source) {
    const auto refuse = [&](const std::string& what) {
        return InputError{source + ": " + what + "; it must be what this prints: loglog bench attention --json"};
    };
    const Json root = Json::parse(json, nullptr, /*allow_exceptions=*/false);
    if (root.is_discarded()) { throw refuse("is no JSON"); }
    if (!root.is_object() || !root.contains("kinds") || !root["kinds"].is_array()) {
        throw refuse("has no list 'kinds'");
    }
    std::vector<BenchKind> kinds;
    for (const Json& entry : root["kinds"]) {
        if (!entry.is_object() || !entry.contains("kind") || !entry["kind"].is_string()) {
            throw refuse("an entry of 'kinds' has no text 'kind'");
        }
        BenchKind kind;
        kind.kind = entry["kind"].get<std::string>();
        if (!entry.contains("points") || !entry["points"].is_array()) {
            throw refuse("kind '" + kind.kind + "' has no list 'points'");
        }
        for (const Json& row : entry["points"]) {
            const auto time = row.is_object() ? number(row, "time") : std::nullopt;
            const auto seconds = row.is_object() ? number(row, "seconds") : std::nullopt;
            if (!time || !seconds) {
                throw refuse("a point of '" + kind.kind + "' lacks the number 'time' or 'seconds'");
            }
            kind.points.push_back({*time, *seconds, number(row, "memory_bytes"), number(row, "flops")});
        }
        kind.growth_exponent = number(entry, "growth_exponent");
        kind.crossover_with_dense = number(entry, "crossover_with_dense");
        kinds.push_back(std::move(kind));
    }
    return kinds;
}

}  // namespace loglog
