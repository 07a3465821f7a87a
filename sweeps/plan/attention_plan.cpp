#include "sweeps/plan/attention_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/base/error.hpp"
#include "sweeps/plan/attention_variants.hpp"

namespace loglog::detail {
namespace {

// Of the control's seeds from those it is compared with.
constexpr std::int64_t seed_shift = 1'000;

class AttentionPlanner {
  public:
    AttentionPlanner(const SweepSpec& sweep, const DataVocab& data_vocab, const IdentifyRun& identify,
                     const FindLoss& loss_of)
        : sweep_{sweep},
          data_vocab_{data_vocab},
          identify_{identify},
          loss_of_{loss_of},
          variants_{attention_variants(sweep, data_vocab, costs_)} {}

    Plan plan() {
        choose_tokens();
        plan_.sweep = sweep_.name;
        plan_.kind = sweep_.kind;
        for (const Variant& variant : variants_.compared) { add_search(variant); }
        for (std::size_t v = 0; v < variants_.compared.size(); ++v) { add_main(variants_.compared[v], v); }
        for (std::size_t v = 0; v < variants_.compared.size(); ++v) { add_recheck(variants_.compared[v], v); }
        add_control();
        add_notes();
        return std::move(plan_);
    }

  private:
    std::size_t widths() const { return sweep_.comparison.widths.size(); }
    const RunCost& dense_cost(std::size_t width) const { return variants_.compared[variants_.dense].sizes[width].cost; }
    double dense_parameters(std::size_t width) const {
        return static_cast<double>(dense_cost(width).parameters.non_embedding());
    }
    std::int64_t batch() const { return variants_.control.sizes.front().spec.train.batch_tokens; }

    // Runs of one attention at a width, each trained once: the search's best run is a main run.
    double runs_at(std::size_t width) const {
        const auto seeds = static_cast<double>(sweep_.seeds.size());
        if (width == 0) { return static_cast<double>(sweep_.comparison.lr_factors.size()) + seeds - 1; }
        return width == 1 ? seeds + 2 : seeds;
    }

    // Model FLOPs of all runs for each token per parameter of the dense model.
    double flops_per_ratio() const {
        double flops = 0;
        for (std::size_t width = 0; width < widths(); ++width) {
            double per_token =
                static_cast<double>(sweep_.seeds.size()) * variants_.control.sizes[width].cost.flops_per_token;
            for (const Variant& variant : variants_.compared) {
                per_token += runs_at(width) * variant.sizes[width].cost.flops_per_token;
            }
            flops += per_token * dense_parameters(width);
        }
        return flops;
    }

    void choose_tokens() {
        const double budget = sweep_.comparison.budget;
        const auto batch_tokens = static_cast<double>(batch());
        ratio_ = budget > 0 ? budget / flops_per_ratio() : sweep_.tokens_per_parameter.at(0);
        for (std::size_t width = 0; width < widths(); ++width) {
            const double batches = ratio_ * dense_parameters(width) / batch_tokens;
            // Rounding up would spend more than the budget. A ratio by itself is met as nearly as it can be.
            const double whole = budget > 0 ? std::floor(batches * (1 + 1e-12)) : std::round(batches);
            if (whole * batch_tokens > 0x1p53) {
                throw InputError{fmt::format("{:.3g} tokens are too many to count", whole * batch_tokens)};
            }
            tokens_.push_back(static_cast<std::int64_t>(whole) * batch());
        }
        if (*std::min_element(tokens_.begin(), tokens_.end()) == 0) { throw_too_small(); }
    }

    [[noreturn]] void throw_too_small() const {
        double least = dense_parameters(0);
        for (std::size_t width = 1; width < widths(); ++width) { least = std::min(least, dense_parameters(width)); }
        const double batch_tokens = static_cast<double>(batch());
        const std::string of_a_run = fmt::format("{:.3g} batches of {} tokens for each run of the smallest model",
                                                 ratio_ * least / batch_tokens, batch());
        if (sweep_.comparison.budget > 0) {
            // Upwards, so that the number as printed is enough.
            const double needed = batch_tokens / least * flops_per_ratio() * 1.005;
            throw InputError{
                fmt::format("sweep.budget: {:.3g} FLOPs are {}, and one is the least: give {:.3g} FLOPs or "
                            "more, or a smaller train.batch_tokens",
                            sweep_.comparison.budget, of_a_run, needed)};
        }
        throw InputError{
            fmt::format("sweep.tokens_per_parameter: {:.3g} is {}, and one is the least: give {:.3g} or "
                        "more, or a smaller train.batch_tokens",
                        ratio_, of_a_run, batch_tokens / least * 1.005)};
    }

    RunSpec spec_of(const Variant& variant, std::size_t width, double lr, std::int64_t seed,
                    const std::string& stage) const {
        RunSpec spec = variant.sizes[width].spec;
        spec.name = stage + " " + variant.name;
        spec.train.tokens = tokens_[width];
        spec.train.optimizer.lr = lr;
        spec.train.seed = static_cast<std::uint64_t>(seed);
        return resolve(spec, data_vocab_(spec));
    }

    // `lr` of nothing is still to be found.
    PlannedRun& add(const Variant& variant, std::size_t width, std::optional<double> lr, std::int64_t seed,
                    const std::string& stage) {
        PlannedRun run;
        run.spec = spec_of(variant, width, lr.value_or(variant.lr), seed, stage);
        run.lr_known = lr.has_value();
        if (run.lr_known) { run.id = identify_(run.spec); }
        run.cost = variant.sizes[width].cost;
        run.target = ratio_;
        run.stage = stage;
        plan_.runs.push_back(std::move(run));
        return plan_.runs.back();
    }

    void add_search(const Variant& variant) {
        std::vector<double> rates;
        for (const double factor : sweep_.comparison.lr_factors) { rates.push_back(variant.lr * factor); }
        const std::int64_t seed = sweep_.seeds.front();
        AttentionSearch search{variant.name, search_rates(rates, [&](double lr) -> std::optional<double> {
                                   const std::string id = identify_(spec_of(variant, 0, lr, seed, "lr-search"));
                                   return id.empty() || !loss_of_ ? std::nullopt : loss_of_(id);
                               })};
        for (const TriedRate& rate : search.search.rates) {
            add(variant, 0, rate.lr, seed, "lr-search").also_main = search.search.best_lr == rate.lr;
        }
        plan_.searches.push_back(std::move(search));
    }

    // Whether no learning rate works for it: its other runs are not planned.
    bool is_hopeless(std::size_t variant) const {
        const RateSearch& search = plan_.searches[variant].search;
        return search.settled && !search.best_lr;
    }

    void add_main(const Variant& variant, std::size_t v) {
        if (is_hopeless(v)) { return; }
        for (std::size_t width = 0; width < widths(); ++width) {
            for (std::size_t s = width == 0 ? 1 : 0; s < sweep_.seeds.size(); ++s) {
                add(variant, width, plan_.searches[v].search.best_lr, sweep_.seeds[s], "main");
            }
        }
    }

    void add_recheck(const Variant& variant, std::size_t v) {
        if (is_hopeless(v) || widths() < 2) { return; }
        const std::optional<double> lr = plan_.searches[v].search.best_lr;
        for (const double factor : {0.5, 2.0}) {
            add(variant, 1, lr ? std::optional{*lr * factor} : std::nullopt, sweep_.seeds.front(), "lr-recheck");
        }
    }

    void add_control() {
        if (is_hopeless(variants_.dense)) { return; }
        const std::optional<double> lr = plan_.searches[variants_.dense].search.best_lr;
        for (std::size_t width = 0; width < widths(); ++width) {
            for (const std::int64_t seed : sweep_.seeds) {
                add(variants_.control, width, lr, seed + seed_shift, "control");
            }
        }
    }

    void add_notes() {
        if (widths() < 2) { plan_.notes.emplace_back("with one width no learning rate is checked at a larger one"); }
        if (variants_.control.sizes.front().spec.train.parameterization != ParameterizationKind::mup) {
            plan_.notes.emplace_back(
                "train.parameterization is not \"mup\": the best learning rate of one width need not be that of "
                "another");
        }
        for (const auto& [name, search] : plan_.searches) {
            if (search.settled && !search.best_lr) {
                plan_.notes.push_back(
                    fmt::format("attention '{}': all {} learning rates diverged, so it is not compared", name,
                                search.rates.size()));
            } else if (search.settled) {
                plan_.notes.push_back(fmt::format("attention '{}': learning rate {:.6g}, the best of {}{}", name,
                                                  *search.best_lr, search.rates.size(),
                                                  search.bracketed ? "" : ", but at their edge even so"));
            } else if (search.extensions > 0) {
                plan_.notes.push_back(
                    fmt::format("attention '{}': the best learning rate so far is at the edge: {} more tried", name,
                                search.extensions));
            }
        }
    }

    const SweepSpec& sweep_;
    const DataVocab& data_vocab_;
    const IdentifyRun& identify_;
    const FindLoss& loss_of_;
    CostBook costs_;
    Variants variants_;
    double ratio_ = 0;
    std::vector<std::int64_t> tokens_;  // of each width
    Plan plan_;
};

}  // namespace

Plan plan_attention_sweep(const SweepSpec& sweep, const DataVocab& data_vocab, const IdentifyRun& identify,
                          const FindLoss& loss_of) {
    return AttentionPlanner{sweep, data_vocab, identify, loss_of}.plan();
}

}  // namespace loglog::detail
