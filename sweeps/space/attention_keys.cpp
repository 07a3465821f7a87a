#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "sweeps/space/sweep_reader.hpp"

// The keys of a sweep of kind attention.
namespace loglog::detail {
namespace {

constexpr std::size_t fewest_rates = 5;
constexpr double widest_step = 2;

// Given by the sweep's own keys for every run.
constexpr std::array decided_keys{"model.width",           "model.attention.kind",     "model.attention.every",
                                  "model.attention.label", "model.attention.minority", "model.attention.layers",
                                  "train.tokens"};

std::vector<std::int64_t> widths_in(const FieldValue& value) {
    std::vector<std::int64_t> widths;
    const auto* list = std::get_if<FieldValue::List>(&value.data);
    for (const FieldValue& element : list != nullptr ? *list : FieldValue::List{}) {
        const auto width = integer_in(element);
        if (!width || *width < 1 || std::find(widths.begin(), widths.end(), *width) != widths.end()) { return {}; }
        widths.push_back(*width);
    }
    return widths;
}

// Why the factors make no search, if they do not. Sorts them.
std::string problem_with(std::vector<double>& factors) {
    std::sort(factors.begin(), factors.end());
    if (factors.size() < fewest_rates) {
        return fmt::format("has {} value{}, but a search needs at least {}", factors.size(),
                           factors.size() == 1 ? "" : "s", fewest_rates);
    }
    for (std::size_t i = 1; i < factors.size(); ++i) {
        const double step = factors[i] / factors[i - 1];
        if (step == 1) { return fmt::format("has {} twice", factors[i]); }
        if (step > widest_step * (1 + 1e-9)) {
            return fmt::format(
                "goes from {} to {}, a factor of {:.3g}, but neighbours may be at most a factor of {} apart",
                factors[i - 1], factors[i], step, widest_step);
        }
    }
    return {};
}

}  // namespace

void SweepReader::read_attention_key(const Assignment& assignment, const std::string& key) {
    AttentionComparison& comparison = spec_.comparison;
    const FieldValue& value = assignment.value;
    if (key == "sweep.attentions") {
        comparison.attentions.clear();
        const auto* list = std::get_if<FieldValue::List>(&value.data);
        if (list == nullptr || list->empty()) {
            return problem(assignment, fmt::format("is {} but must be a list of attentions, such as [\"dense\", "
                                                   "\"gdn-3:1\", {{ kind = \"window\", window = 128 }}]",
                                                   to_text(value)));
        }
        for (const FieldValue& element : *list) {
            comparison.attentions.push_back(read_attention_choice(element, key, assignment.place, problems_));
        }
    } else if (key == "sweep.widths") {
        comparison.widths = widths_in(value);
        if (comparison.widths.empty()) {
            problem(assignment,
                    fmt::format("is {} but must be a list of different integers, at least 1", to_text(value)));
        }
    } else if (key == "sweep.budget") {
        std::vector<double> numbers;
        if (number_in(value) && read_positive_numbers(value, numbers)) {
            comparison.budget = numbers[0];
        } else {
            problem(assignment, fmt::format("is {} but must be a number of FLOPs above 0", to_text(value)));
        }
    } else if (!read_positive_numbers(value, comparison.lr_factors)) {
        problem(assignment, fmt::format("is {} but must be a list of numbers above 0", to_text(value)));
    }
}

void SweepReader::check_comparison() {
    const SourcePlace place = given_.contains("sweep.kind") ? given_["sweep.kind"].place : SourcePlace{};
    const bool has_budget = given_.contains("sweep.budget");
    const auto ratios = given_.find("sweep.tokens_per_parameter");
    if (has_budget && ratios != given_.end()) {
        problem(ratios->second, "is given and so is sweep.budget: give one of the two");
    } else if (!has_budget && ratios == given_.end()) {
        problems_.push_back({place, "sweep.budget",
                             "is missing: model FLOPs of all runs together (or give sweep.tokens_per_parameter)"});
    } else if (ratios != given_.end() && spec_.tokens_per_parameter.size() > 1) {
        problem(ratios->second, "must be a single number: all sizes are trained on as many tokens per parameter");
    }
    if (const auto factors = given_.find("sweep.lr_factors"); factors != given_.end()) {
        if (const std::string message = problem_with(spec_.comparison.lr_factors); !message.empty()) {
            problem(factors->second, message);
        }
    }
    for (const Axis& axis : spec_.vary) {
        problems_.push_back(
            {axis.place, "vary." + axis.keys.front(),
             "nothing else may vary in a sweep of kind attention but sweep.attentions and sweep.widths"});
    }
    for (const Assignment& assignment : spec_.base) {
        if (std::find(decided_keys.begin(), decided_keys.end(), assignment.key) == decided_keys.end()) { continue; }
        problem(assignment, assignment.key == "model.width" ? "follows from sweep.widths"
                            : assignment.key == "train.tokens"
                                ? "follows from sweep.budget or sweep.tokens_per_parameter"
                                : "follows from sweep.attentions");
    }
}

}  // namespace loglog::detail
