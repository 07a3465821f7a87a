#include "sweeps/space/expand.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "engine/base/error.hpp"
#include "experiments/spec/fields.hpp"

namespace loglog {
namespace {

constexpr std::size_t most_runs = 100'000;

std::size_t combinations_of(const SweepSpec& sweep) {
    std::size_t count = 1;
    for (const Axis& axis : sweep.vary) {
        count *= axis.points.size();
        if (count > most_runs) { return count; }
    }
    return count;
}

// The assignments of combination number `index`; the last axis varies fastest.
std::vector<Assignment> combination(const SweepSpec& sweep, std::size_t index) {
    std::vector<Assignment> assignments = sweep.base;
    std::vector<std::size_t> choice(sweep.vary.size());
    for (std::size_t a = sweep.vary.size(); a-- > 0;) {
        choice[a] = index % sweep.vary[a].points.size();
        index /= sweep.vary[a].points.size();
    }
    for (std::size_t a = 0; a < sweep.vary.size(); ++a) {
        const Axis& axis = sweep.vary[a];
        for (std::size_t k = 0; k < axis.keys.size(); ++k) {
            assignments.push_back({axis.keys[k], axis.points[choice[a]][k], axis.place});
        }
    }
    return assignments;
}

class Expander {
  public:
    Expander(const SweepSpec& sweep, const DataVocab& data_vocab, const MeasureModel& measure)
        : sweep_{sweep}, data_vocab_{data_vocab}, measure_{measure} {}

    Expansion run() {
        const std::size_t count = combinations_of(sweep_);
        if (count * sweep_.seeds.size() > most_runs) {
            throw InputError{fmt::format("sweep '{}' has more than {} runs", sweep_.name, most_runs)};
        }
        for (std::size_t i = 0; i < count; ++i) { add_combination(i); }
        throw_if_any(problems_);
        return std::move(expansion_);
    }

  private:
    void add_combination(std::size_t index) {
        std::vector<Assignment> assignments = combination(sweep_, index);
        assign_layers(sweep_, assignments);
        const std::size_t problems_before = problems_.size();
        const RunSpec spec = spec_from(assignments, problems_);
        if (problems_.size() > problems_before) { return; }
        try {
            for (const auto& [resolved, target] : with_tokens(spec)) { add_seeds(resolved, target); }
        } catch (const InputError& error) {
            const SourcePlace place = sweep_.vary.empty() ? SourcePlace{} : sweep_.vary.front().place;
            problems_.push_back({place, "", error.what()});
        }
    }

    // One resolved run for each budget or ratio; just one for a grid.
    std::vector<std::pair<RunSpec, double>> with_tokens(const RunSpec& spec) {
        if (sweep_.kind == SweepKind::grid) { return {{resolve(spec, data_vocab_(spec)), 0.0}}; }
        const ModelSize size = measure_(resolve(spec, data_vocab_(spec)));
        std::vector<std::pair<RunSpec, double>> runs;
        const bool isoflop = sweep_.kind == SweepKind::isoflop;
        for (const double target : isoflop ? sweep_.budgets : sweep_.tokens_per_parameter) {
            const double tokens =
                isoflop ? target / size.flops_per_token : target * static_cast<double>(size.non_embedding_parameters);
            if (tokens > 0x1p53) { throw InputError{fmt::format("{:.3g} tokens are too many to count", tokens)}; }
            // Rounding up to one batch would multiply what the run is meant to cost.
            if (tokens < 0.5 * static_cast<double>(spec.train.batch_tokens)) {
                expansion_.notes.push_back(fmt::format(
                    "left out: width {}, layers {} at {} {:.3g}: {:.0f} tokens are less than one batch of {}",
                    spec.model.width, spec.model.layers, isoflop ? "budget" : "tokens per parameter", target, tokens,
                    spec.train.batch_tokens));
                continue;
            }
            RunSpec run = spec;
            run.train.tokens = std::max<std::int64_t>(1, std::llround(tokens));
            runs.emplace_back(resolve(run, data_vocab_(run)), target);
        }
        return runs;
    }

    void add_seeds(RunSpec run, double target) {
        for (const std::int64_t seed : sweep_.seeds) {
            run.train.seed = static_cast<std::uint64_t>(seed);
            const auto [known, is_new] = seen_.try_emplace(run_id(run, "", ""), expansion_.runs.size());
            if (is_new) {
                expansion_.runs.push_back(run);
                expansion_.targets.push_back(target);
            } else {
                expansion_.notes.push_back(
                    fmt::format("merged: a run of width {}, layers {}, {} tokens and seed {} occurs twice",
                                run.model.width, run.model.layers, run.train.tokens, seed));
            }
        }
    }

    const SweepSpec& sweep_;
    const DataVocab& data_vocab_;
    const MeasureModel& measure_;
    Expansion expansion_;
    std::vector<SpecProblem> problems_;
    std::map<std::string, std::size_t> seen_;
};

}  // namespace

Expansion expand(const SweepSpec& sweep, const DataVocab& data_vocab, const MeasureModel& measure) {
    return Expander{sweep, data_vocab, measure}.run();
}

}  // namespace loglog
