#include "sweeps/plan/neighbours.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr double step = 1.4142135623730951;
constexpr double same = 1.1;  // values closer than this are one rung

/// The values that were trained, and steps between and beyond them, each a multiple of `unit`.
std::vector<std::int64_t> ladder(const std::set<std::int64_t>& trained, double last, std::int64_t unit) {
    std::set<std::int64_t> rungs = trained;
    for (auto value = static_cast<double>(*trained.begin()); value <= last * (1 + 1e-9); value *= step) {
        const std::int64_t rung = std::max<std::int64_t>(1, std::llround(value / static_cast<double>(unit))) * unit;
        const auto is_near = [&](std::int64_t known) {
            const double ratio = static_cast<double>(rung) / static_cast<double>(known);
            return ratio < same && ratio > 1 / same;
        };
        if (std::none_of(rungs.begin(), rungs.end(), is_near)) { rungs.insert(rung); }
    }
    return {rungs.begin(), rungs.end()};
}

/// Whether all runs have the same value.
template <class Get>
bool shared(std::span<const TrainedRun> trained, const Get& get) {
    return std::all_of(trained.begin(), trained.end(),
                       [&](const TrainedRun& run) { return get(run.spec) == get(trained.front().spec); });
}

const TrainedRun& nearest(std::span<const TrainedRun> trained, std::int64_t width, std::int64_t tokens) {
    const auto distance = [&](const TrainedRun& run) {
        const double by_width = std::log(static_cast<double>(run.spec.model.width) / static_cast<double>(width));
        const double by_tokens = std::log(static_cast<double>(run.spec.train.tokens) / static_cast<double>(tokens));
        return std::hypot(2 * by_width, by_tokens);  // parameters go with the square of the width
    };
    return *std::min_element(trained.begin(), trained.end(), [&](const TrainedRun& one, const TrainedRun& other) {
        const double to_one = distance(one);
        const double to_other = distance(other);
        return to_one != to_other ? to_one < to_other : one.loss < other.loss;
    });
}

class Neighbours {
  public:
    explicit Neighbours(std::span<const TrainedRun> trained)
        : trained_{trained},
          same_head_dim_{shared(trained, [](const RunSpec& spec) { return spec.model.head_dim; })},
          same_layers_{shared(trained, [](const RunSpec& spec) { return spec.model.layers; })} {}

    /// Multiples that widths must be of.
    std::int64_t unit() const {
        std::int64_t unit = 1;
        for (const TrainedRun& run : trained_) {
            const ModelSpec& model = run.spec.model;
            // A head of even width: rotary positions turn pairs.
            unit = std::lcm(unit, same_head_dim_ ? model.head_dim : 2 * model.heads);
        }
        return unit;
    }

    std::optional<RunSpec> run(std::int64_t width, std::int64_t tokens) const {
        const TrainedRun& like = nearest(trained_, width, tokens);
        RunSpec spec = like.spec;
        spec.train.tokens = tokens;
        spec.train.eval_every = 0;
        if (spec.model.width != width) { resize(spec, width); }
        try {
            return resolve(spec, spec.model.vocab);
        } catch (const InputError&) {
            return std::nullopt;  // no such model, e.g. key and value heads that do not divide the heads
        }
    }

  private:
    void resize(RunSpec& spec, std::int64_t width) const {
        ModelSpec& model = spec.model;
        const double factor = static_cast<double>(width) / static_cast<double>(model.width);
        const bool usual_mlp = model.mlp_width == default_mlp_width(model);
        const std::int64_t queries_per_key = model.heads / std::max<std::int64_t>(1, model.kv_heads);
        if (!same_layers_) {
            model.layers = std::max<std::int64_t>(1, std::llround(static_cast<double>(model.layers) * factor));
        }
        model.width = width;
        if (same_head_dim_) {
            model.heads = width / model.head_dim;
        } else {
            model.head_dim = width / model.heads;
        }
        model.kv_heads = std::max<std::int64_t>(1, model.heads / queries_per_key);
        model.mlp_width =
            usual_mlp ? 0
                      : std::max<std::int64_t>(8, std::llround(static_cast<double>(model.mlp_width) * factor / 8) * 8);
    }

    std::span<const TrainedRun> trained_;
    bool same_head_dim_;
    bool same_layers_;
};

}  // namespace

std::vector<RunSpec> neighbouring_runs(std::span<const TrainedRun> trained, double reach) {
    std::set<std::int64_t> widths;
    std::set<std::int64_t> tokens;
    std::int64_t batch = 1;
    for (const TrainedRun& run : trained) {
        widths.insert(run.spec.model.width);
        tokens.insert(run.spec.train.tokens);
        batch = std::max(batch, run.spec.train.batch_tokens);
    }
    if (widths.empty()) { return {}; }
    const Neighbours neighbours{trained};
    std::vector<RunSpec> runs;
    std::set<std::string> seen;
    for (const std::int64_t width :
         ladder(widths, static_cast<double>(*widths.rbegin()) * std::sqrt(reach), neighbours.unit())) {
        for (const std::int64_t count : ladder(tokens, static_cast<double>(*tokens.rbegin()) * reach, batch)) {
            auto run = neighbours.run(width, count);
            if (run && seen.insert(to_json(*run)).second) { runs.push_back(std::move(*run)); }
        }
    }
    return runs;
}

}  // namespace loglog
