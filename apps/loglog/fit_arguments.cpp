#include "apps/loglog/fit_arguments.hpp"

#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>

#include "analysis/inference/checks_input.hpp"
#include "analysis/inference/checks_runs.hpp"
#include "apps/loglog/verbs.hpp"
#include "db/registry/registry.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr std::string_view quantities[] = {"N",         "D",
                                           "C",         "loss",
                                           "U",         "run",
                                           "seed",      "step",
                                           "lr",        "schedule",
                                           "batch",     "weight",
                                           "N_star",    "N_star_logstd",
                                           "D_star",    "D_star_logstd",
                                           "loss_star", "loss_star_logstd"};

}  // namespace

std::map<std::string, std::string> parse_maps(const std::vector<std::string>& maps) {
    std::map<std::string, std::string> mapping;
    for (const auto& map : maps) {
        const auto equals = map.find('=');
        const std::string quantity = map.substr(0, equals);
        if (equals == std::string::npos || equals + 1 == map.size() ||
            std::find(std::begin(quantities), std::end(quantities), quantity) == std::end(quantities)) {
            throw InputError{"--map '" + map + "' must be QUANTITY=COLUMN, with a quantity among " +
                             fmt::format("{}", fmt::join(quantities, ", "))};
        }
        mapping[quantity] = map.substr(equals + 1);
    }
    return mapping;
}

LawChoice parse_law_choice(const FitArguments& arguments) {
    LawChoice choice;
    choice.gamma = arguments.gamma;
    const auto split = [](const std::string& option, const std::string& text, const char* wanted) {
        const auto equals = text.find('=');
        if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
            throw InputError{option + " '" + text + "' must be " + wanted};
        }
        return std::pair{text.substr(0, equals), text.substr(equals + 1)};
    };
    for (const auto& text : arguments.fixed) {
        const auto [name, number] = split("--fix", text, "PARAMETER=NUMBER");
        double value = 0;
        if (!CLI::detail::lexical_cast(number, value)) {
            throw InputError{"--fix '" + text + "': '" + number + "' is not a number"};
        }
        if (!choice.fixed.emplace(name, value).second) { throw InputError{"--fix " + name + " is given twice"}; }
    }
    for (const auto& text : arguments.tied) {
        const auto [name, to] = split("--tie", text, "PARAMETER=PARAMETER");
        if (!choice.tied.emplace(name, to).second) { throw InputError{"--tie " + name + " is given twice"}; }
    }
    return choice;
}

std::vector<VariableValues> parse_places(const std::vector<std::string>& texts) {
    std::vector<VariableValues> places;
    for (const std::string& text : texts) {
        VariableValues& place = places.emplace_back();
        for (const std::string& part : CLI::detail::split(text, ',')) {
            const auto equals = part.find('=');
            double value = 0;
            const bool valid = equals != std::string::npos && equals > 0 &&
                               CLI::detail::lexical_cast(part.substr(equals + 1), value) && value > 0 &&
                               std::isfinite(value);
            if (!valid || !place.emplace(part.substr(0, equals), value).second) {
                throw InputError{"--at '" + text +
                                 "' must be VARIABLE=NUMBER,..., each once and above 0, such as "
                                 "N=1e9,D=2e10; '" +
                                 part + "' is not"};
            }
        }
    }
    return places;
}

int parse_hold_out(const std::string& text) {
    if (text.empty()) { return 0; }
    if (text == "largest") { return 1; }
    int count = 0;
    if (!CLI::detail::lexical_cast(text, count) || count < 1) {
        throw InputError{"--hold-out '" + text + "' must be 'largest' or how many of the largest values to hold out"};
    }
    return count;
}

std::optional<Dataset> before_exclusions(const FitArguments& arguments, std::size_t kept_rows) {
    if (arguments.csv.empty() || arguments.where.empty()) { return std::nullopt; }
    Dataset all = read_csv(arguments.csv);
    const std::size_t left_out = all.rows.size() - kept_rows;
    if (left_out == 0 || 10 * left_out > all.rows.size()) { return std::nullopt; }
    return all;
}

RunDataset gather(const FitArguments& arguments, std::vector<Warning>& warnings) {
    const ParameterCount count =
        arguments.count.empty() ? ParameterCount::non_embedding : parse_parameter_count(arguments.count);
    if (!arguments.csv.empty()) {
        if (!arguments.count.empty()) {
            throw InputError{
                "--count is for runs of the registry; of a table choose the column of N by --map N=COLUMN"};
        }
        const Dataset all = read_csv(arguments.csv);
        RunDataset chosen{arguments.where.empty() ? all : filter(all, arguments.where), {}};
        auto mapping = parse_maps(arguments.maps);
        if (!arguments.y.empty()) { mapping["loss"] = arguments.y; }
        warnings = table_warnings(chosen.data, mapping);
        return chosen;
    }
    const auto folder = registry_folder(arguments.registry);
    const auto registry = Registry::open(folder, Access::read);
    const auto runs = registry.select(arguments.where);
    warnings = mixture_warnings(runs);
    for (Warning& warning : hygiene_warnings(runs)) { warnings.push_back(std::move(warning)); }
    return dataset_of_runs(runs, count, "registry " + folder);
}

}  // namespace loglog
