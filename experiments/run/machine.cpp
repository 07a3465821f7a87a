#include "experiments/run/machine.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "engine/base/nearest_name.hpp"
#include "experiments/spec/toml_reader.hpp"

namespace loglog {
namespace {

// Says what a value has to be where it is not.
using Reader = std::function<std::string(const FieldValue&)>;

Reader number(double& field, double low, double high) {
    return [&field, low, high](const FieldValue& value) -> std::string {
        const auto read = number_in(value);
        if (!read || !std::isfinite(*read) || *read < low || *read > high) {
            return std::isinf(high) ? fmt::format("a number, at least {}", low)
                                    : fmt::format("a number from {} to {}", low, high);
        }
        field = *read;
        return {};
    };
}

Reader count(int& field) {
    return [&field](const FieldValue& value) -> std::string {
        const auto read = integer_in(value);
        if (!read || *read < 1 || *read > 10'000'000) { return "an integer, at least 1"; }
        field = static_cast<int>(*read);
        return {};
    };
}

Reader flag(bool& field) {
    return [&field](const FieldValue& value) -> std::string {
        const auto* read = std::get_if<bool>(&value.data);
        if (read == nullptr) { return "true or false"; }
        field = *read;
        return {};
    };
}

std::map<std::string, Reader> readers(Machine& machine) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    constexpr double least = 1e-300;
    return {{"name",
             [&machine](const FieldValue& value) -> std::string {
                 const auto* text = std::get_if<std::string>(&value.data);
                 if (text == nullptr) { return "text"; }
                 machine.name = *text;
                 return {};
             }},
            {"memory",
             [&machine](const FieldValue& value) -> std::string {
                 const auto bytes = bytes_in(value);
                 if (!bytes) { return "a number of bytes, such as \"80 GiB\""; }
                 machine.memory = *bytes;
                 return {};
             }},
            {"nodes", count(machine.nodes)},
            {"ranks_per_node", count(machine.ranks_per_node)},
            {"flops", number(machine.flops, least, infinity)},
            {"share_of_peak", number(machine.share_of_peak, least, 1)},
            {"bytes_per_second", number(machine.bytes_per_second, least, infinity)},
            {"intra.latency", number(machine.intra.latency, 0, infinity)},
            {"intra.bandwidth", number(machine.intra.bandwidth, least, infinity)},
            {"inter.latency", number(machine.inter.latency, 0, infinity)},
            {"inter.bandwidth", number(machine.inter.bandwidth, least, infinity)},
            {"bytes_per_value", number(machine.bytes_per_value, 1, 8)},
            {"overlap", number(machine.overlap, 0, 1)},
            {"attention_score_passes", number(machine.attention_score_passes, 0, 100)},
            {"recompute", flag(machine.recompute)},
            {"split_transfers", flag(machine.split_transfers)}};
}

}  // namespace

Machine parse_machine(std::string_view text, const std::string& source) {
    std::vector<SpecProblem> problems;
    Machine machine;
    const auto known = readers(machine);
    std::vector<std::string> names;
    for (const auto& [name, reader] : known) { names.push_back("cluster." + name); }

    std::map<std::string, bool> given;
    for (const Assignment& assignment : read_toml(text, source, problems)) {
        const std::string& key = assignment.key;
        const auto reader = key.starts_with("cluster.") ? known.find(key.substr(8)) : known.end();
        if (reader == known.end()) {
            problems.push_back({assignment.place, key, "unknown key" + did_you_mean(key, names)});
            continue;
        }
        given[reader->first] = true;
        if (const std::string wanted = reader->second(assignment.value); !wanted.empty()) {
            problems.push_back(
                {assignment.place, key, fmt::format("is {} but must be {}", to_text(assignment.value), wanted)});
        }
    }
    for (const char* key : {"nodes", "ranks_per_node", "flops", "bytes_per_second", "intra.latency", "intra.bandwidth",
                            "inter.latency", "inter.bandwidth"}) {
        if (!given.contains(key)) { problems.push_back({{source}, std::string{"cluster."} + key, "is missing"}); }
    }
    throw_if_any(problems);
    return machine;
}

Machine load_machine(const std::filesystem::path& file) { return parse_machine(read_text_file(file), file.string()); }

std::optional<double> bytes_in(const FieldValue& value) {
    if (const auto number = number_in(value)) {
        return *number > 0 && std::isfinite(*number) ? std::optional{*number} : std::nullopt;
    }
    const auto* text = std::get_if<std::string>(&value.data);
    if (text == nullptr) { return std::nullopt; }
    double number = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc{} || !(number > 0) || !std::isfinite(number)) { return std::nullopt; }
    std::string unit{end, text->data() + text->size()};
    unit.erase(0, unit.find_first_not_of(' '));
    constexpr std::array<std::pair<std::string_view, double>, 9> units{{{"B", 1},
                                                                        {"KiB", 0x1p10},
                                                                        {"MiB", 0x1p20},
                                                                        {"GiB", 0x1p30},
                                                                        {"TiB", 0x1p40},
                                                                        {"kB", 1e3},
                                                                        {"MB", 1e6},
                                                                        {"GB", 1e9},
                                                                        {"TB", 1e12}}};
    for (const auto& [name, bytes] : units) {
        if (unit == name) { return number * bytes; }
    }
    return std::nullopt;
}

}  // namespace loglog
