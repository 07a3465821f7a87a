#include "analysis/attention/fairness.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

namespace loglog {
namespace {

using Json = nlohmann::json;

constexpr double parameter_tolerance = 0.01;
constexpr double token_tolerance = 0.001;
constexpr double rate_step_tolerance = 2.0001;  // largest factor between neighbouring learning rates
constexpr std::size_t least_rates = 5;

/// Keys of a resolved spec that must be equal for all runs.
constexpr std::array<std::pair<const char*, const char*>, 7> training_keys{{
    {"/train/schedule", "schedule"},
    {"/train/optimizer/kind", "optimizer"},
    {"/train/optimizer/betas", "betas"},
    {"/train/optimizer/clip", "clipping"},
    {"/train/precision", "precision"},
    {"/train/z_loss", "z_loss"},
    {"/train/document_boundaries", "document boundaries"},
}};

class Fairness {
  public:
    Fairness(const std::vector<ComparedRun>& runs, const RunGroups& groups, const std::vector<Tuning>& tunings)
        : runs_{runs}, groups_{groups}, tunings_{tunings} {}

    std::vector<Warning> check() {
        check_settings();
        check_sizes();
        check_seeds();
        for (std::size_t v = 0; v < groups_.variants.size(); ++v) { check_tuning(v); }
        check_budgets();
        check_control();
        return std::move(warnings_);
    }

  private:
    const RunRecord& record(const PlacedRun& placed) const { return runs_[placed.run].record; }
    void warn(const char* code, std::string text) { warnings_.push_back({code, std::move(text)}); }

    /// Warns where `value_of` differs among the runs that enter.
    template <class ValueOf>
    void check_equal(const char* code, const std::string& what, const ValueOf& value_of) {
        std::map<std::string, std::set<std::string>> variants_by_value;
        for (const auto& variant : groups_.variants) {
            for (const auto& placed : variant.placed) { variants_by_value[value_of(placed.run)].insert(variant.name); }
        }
        if (variants_by_value.size() < 2) { return; }
        std::string text = "the runs differ in " + what + ":";
        for (const auto& [value, names] : variants_by_value) {
            text += fmt::format("{} {} ({})", text.back() == ':' ? "" : ";", value.empty() ? "not known" : value,
                                fmt::join(names, ", "));
        }
        warn(code, text);
    }

    void check_settings() {
        const auto number = [this](std::optional<std::int64_t> RunRecord::*member) {
            return [this, member](std::size_t run) {
                const auto& value = runs_[run].record.*member;
                return value ? std::to_string(*value) : std::string{};
            };
        };
        const auto text = [this](std::string RunRecord::*member) {
            return [this, member](std::size_t run) { return runs_[run].record.*member; };
        };
        check_equal("different_data", "data", text(&RunRecord::data_hash));
        check_equal("different_context", "context", number(&RunRecord::context));
        check_equal("different_vocabulary", "vocabulary", number(&RunRecord::vocab));
        check_equal("different_batch", "tokens in a batch", number(&RunRecord::batch_tokens));
        check_equal("different_parameterization", "parameterization", text(&RunRecord::parameterization));
        check_equal("different_code", "code version", text(&RunRecord::code_version));
        std::map<std::size_t, Json> specs;
        for (const auto& variant : groups_.variants) {
            for (const auto& placed : variant.placed) {
                specs[placed.run] = Json::parse(record(placed).spec, nullptr, /*allow_exceptions=*/false);
            }
        }
        for (const auto& [key, what] : training_keys) {
            const Json::json_pointer pointer{key};
            check_equal("different_schedule", what, [&](std::size_t run) {
                const Json& spec = specs.at(run);
                return spec.is_object() && spec.contains(pointer) ? spec.at(pointer).dump() : std::string{};
            });
        }
    }

    void check_sizes() {
        for (const auto& variant : groups_.variants) {
            std::vector<std::string> missing, heavy, longer;
            for (std::size_t s = 0; s < groups_.sizes.size(); ++s) {
                const auto& size = groups_.sizes[s];
                const auto run = std::find_if(variant.placed.begin(), variant.placed.end(),
                                              [&](const PlacedRun& p) { return p.size == static_cast<int>(s); });
                if (run == variant.placed.end()) {
                    missing.push_back(size.name());
                    continue;
                }
                const double parameters = static_cast<double>(*record(*run).non_embedding_params) / size.parameters - 1;
                if (std::abs(parameters) > parameter_tolerance) {
                    heavy.push_back(fmt::format("{} {:+.1f}%", size.name(), 100 * parameters));
                }
                for (const auto& placed : variant.placed) {
                    if (placed.size != static_cast<int>(s)) { continue; }
                    const double tokens = static_cast<double>(*record(placed).tokens) / size.tokens - 1;
                    if (std::abs(tokens) <= token_tolerance) { continue; }
                    longer.push_back(fmt::format("{} {:+.2f}%", size.name(), 100 * tokens));
                    break;
                }
            }
            if (!missing.empty()) {
                warn("missing_sizes", fmt::format("{} has no finished run at {}: it is compared at the other sizes",
                                                  variant.name, fmt::join(missing, ", ")));
            }
            if (!heavy.empty()) {
                warn("unequal_parameters",
                     fmt::format("{}: non-embedding parameters differ from the baseline's by more than 1% at {}",
                                 variant.name, fmt::join(heavy, ", ")));
            }
            if (!longer.empty()) {
                warn("different_tokens", fmt::format("{}: training tokens differ from the baseline's at {}",
                                                     variant.name, fmt::join(longer, ", ")));
            }
        }
    }

    void check_seeds() {
        for (const auto& variant : groups_.variants) {
            if (!variant.is_paired && !variant.is_control) {
                warn("unpaired_seeds", variant.name +
                                           ": its seeds are not the baseline's; they are paired in order, and what a "
                                           "seed does does not cancel");
            }
            std::map<int, int> seeds;
            for (const auto& placed : variant.placed) { ++seeds[placed.size]; }
            std::vector<std::string> few;
            for (const auto& [size, count] : seeds) {
                const int wanted = size < 2 ? 3 : 2;  // the protocol: three at the two smallest sizes, two above
                if (count < wanted) {
                    few.push_back(fmt::format("{} {} of {}", groups_.sizes[static_cast<std::size_t>(size)].name(),
                                              count, wanted));
                }
            }
            if (!few.empty()) {
                warn("few_seeds",
                     fmt::format("{}: fewer seeds than the protocol asks for: {}", variant.name, fmt::join(few, ", ")));
            }
        }
    }

    void check_tuning(std::size_t v) {
        const auto& variant = groups_.variants[v];
        const Tuning& tuning = tunings_[v];
        if (variant.is_control) { return; }  // a copy of the baseline takes over its learning rate
        if (tuning.search.empty()) {
            warn("no_learning_rate_search", variant.name + ": no learning-rate search is among the runs");
            return;
        }
        for (const auto& curve : tuning.search) {
            const std::string where = variant.name + " at " + curve.size;
            if (curve.points.size() < least_rates) {
                warn("few_learning_rates", fmt::format("{}: {} learning rates were tried; the protocol asks for {}",
                                                       where, curve.points.size(), least_rates));
            }
            if (curve.largest_step > rate_step_tolerance) {
                warn("coarse_learning_rates",
                     fmt::format("{}: neighbouring learning rates lie a factor of {:.3g} apart; the protocol asks for "
                                 "at most 2",
                                 where, curve.largest_step));
            }
            if (!curve.bracketed) {
                warn("learning_rate_not_bracketed",
                     curve.best ? fmt::format("{}: the best learning rate, {:g}, lies at the edge of those tried",
                                              where, *curve.best)
                                : where + ": no run of the learning-rate search finished");
            } else if (tuning.chosen && curve.best && std::abs(std::log(*tuning.chosen / *curve.best)) > 1e-6) {
                warn("untuned_learning_rate",
                     fmt::format("{}: the compared runs have the learning rate {:g}, the search found {:g}", where,
                                 *tuning.chosen, *curve.best));
            }
        }
        if (tuning.recheck.empty()) {
            warn("no_recheck", variant.name + ": the learning rate was not checked again at a larger size");
        } else if (!tuning.recheck_excess) {
            warn("recheck_incomplete",
                 variant.name + ": the check at a larger size has no finished run with the chosen learning rate");
        } else if (!tuning.recheck_agrees) {
            warn("recheck_disagrees",
                 fmt::format("{}: at a larger size the chosen learning rate gives up {:.2f}% of loss to a better one",
                             variant.name, 100 * *tuning.recheck_excess));
        }
    }

    void check_budgets() {
        std::map<int, std::vector<std::string>> by_runs;
        for (std::size_t v = 0; v < groups_.variants.size(); ++v) {
            if (!groups_.variants[v].is_control) { by_runs[tunings_[v].runs].push_back(groups_.variants[v].name); }
        }
        if (by_runs.size() > 1) {
            std::string text = "variants were tuned with different budgets:";
            for (const auto& [runs, names] : by_runs) {
                text += fmt::format("{} {} runs ({})", text.back() == ':' ? "" : ";", runs, fmt::join(names, ", "));
            }
            warn("unequal_tuning_budget", text);
        }
    }

    void check_control() {
        const bool any = std::any_of(groups_.variants.begin(), groups_.variants.end(),
                                     [](const VariantGroup& variant) { return variant.is_control; });
        if (!any) {
            warn("no_control",
                 fmt::format(
                     "there is no second copy of the baseline ('{0}-aa', other seeds): nothing shows how large a "
                     "difference chance makes",
                     groups_.variants.front().name));
        }
    }

    const std::vector<ComparedRun>& runs_;
    const RunGroups& groups_;
    const std::vector<Tuning>& tunings_;
    std::vector<Warning> warnings_;
};

}  // namespace

std::vector<Warning> fairness_warnings(const std::vector<ComparedRun>& runs, const RunGroups& groups,
                                       const std::vector<Tuning>& tunings) {
    return Fairness{runs, groups, tunings}.check();
}

}  // namespace loglog
