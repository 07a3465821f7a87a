#pragma once

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "analysis/attention/run_groups.hpp"
#include "engine/base/random.hpp"

namespace loglog {

/// A made-up attention sweep with known multipliers: learning-rate searches, main runs and an A/A control.
struct SyntheticComparison {
    struct Kind {
        std::string label, kind;
        double multiplier;  ///< over dense, in FLOPs
        double flops_ratio;
        bool is_control = false;
    };
    std::vector<Kind> kinds{{"dense", "dense", 1.0, 1.0},
                            {"gdn", "gdn", 1.25, 1.02},
                            {"window", "window", 0.8, 0.97},
                            {"dense-aa", "dense", 1.0, 1.0, true}};
    std::vector<std::int64_t> widths{64, 128, 256};
    int seeds = 2;
    double exponent = 0.07;
    double floor = 0;
    double shared_noise = 0.002;
    double own_noise = 0.002;
    std::uint64_t experiment = 0;
    bool with_searches = true;

    std::vector<ComparedRun> runs() const {
        std::vector<ComparedRun> list;
        for (std::size_t k = 0; k < kinds.size(); ++k) {
            for (std::size_t s = 0; s < widths.size(); ++s) {
                for (int seed = 1; seed <= seeds; ++seed) { list.push_back(main_run(k, s, seed, list.size())); }
            }
            if (with_searches && !kinds[k].is_control) { add_searches(k, list); }
        }
        return list;
    }

    double loss(double flops, double multiplier) const {
        return floor + 3.5 * std::pow(flops * multiplier / 1e14, -exponent);
    }

  private:
    ComparedRun main_run(std::size_t k, std::size_t s, int seed, std::size_t number) const {
        const Random random{Seed{77}, Stream::synthetic_data, experiment};
        ComparedRun run = run_of(k, s, 4e-3, number);
        run.record.name = kinds[k].is_control ? "control" : "main";
        run.record.seed = kinds[k].is_control ? seed + 100 : seed;
        // A control shares no seed with the baseline, and so no noise.
        const auto row = static_cast<std::uint64_t>(s * 16 + static_cast<std::size_t>(*run.record.seed) % 100 +
                                                    (kinds[k].is_control ? 1000 : 0));
        const double noise = shared_noise * random.normal(row) + own_noise * random.normal(2000 + 100 * k + row % 100);
        finish(run, loss(*run.record.flops, kinds[k].multiplier) * std::exp(noise));
        return run;
    }

    void add_searches(std::size_t k, std::vector<ComparedRun>& list) const {
        const std::map<std::string, std::size_t> rounds{{"lr-search", 0}, {"lr-recheck", 1}};
        for (const auto& [name, size] : rounds) {
            for (int step = -2; step <= 2; ++step) {
                ComparedRun run = run_of(k, size, 4e-3 * std::pow(2.0, step), list.size());
                run.record.name = name;
                run.record.seed = 1;
                finish(run, loss(*run.record.flops, kinds[k].multiplier) * (1 + 0.01 * step * step));
                list.push_back(run);
            }
        }
    }

    ComparedRun run_of(std::size_t k, std::size_t s, double lr, std::size_t number) const {
        ComparedRun run;
        RunRecord& r = run.record;
        r.id = fmt::format("run-{:03}", number);
        r.sweep = "made-up";
        r.state = RunState::ok;
        r.family = "decoder";
        r.attention = kinds[k].label;
        r.width = widths[s];
        r.layers = *r.width / 32;
        r.heads = *r.width / 32;
        r.head_dim = 32;
        r.context = 256;
        r.vocab = 512;
        const double n = 12.0 * static_cast<double>(*r.layers * *r.width * *r.width);
        r.non_embedding_params = static_cast<std::int64_t>(n * (1 + 0.002 * static_cast<double>(k)));
        r.embedding_params = 512 * *r.width;
        r.head_params = 0;
        r.total_params = *r.non_embedding_params + *r.embedding_params;
        r.tokens = static_cast<std::int64_t>(20 * n / 8192) * 8192;
        r.unique_tokens = *r.tokens;
        r.flops_per_token = 7 * n * kinds[k].flops_ratio;
        r.flops = *r.flops_per_token * static_cast<double>(*r.tokens);
        r.batch_tokens = 8192;
        r.lr = lr;
        r.parameterization = "mup";
        r.data_hash = "0123";
        r.code_version = "1.2.3+abc";
        r.seconds = *r.flops / 5e10;
        r.tokens_per_second = static_cast<double>(*r.tokens) / *r.seconds;
        r.peak_memory_bytes = 16 * *r.total_params;
        r.spec = fmt::format(
            R"({{"model":{{"attention":{{"kind":"{}","chunk":64,"layers":[]}}}},"train":{{"schedule":{{"kind":"wsd"}}}}}})",
            kinds[k].kind);
        return run;
    }

    static void finish(ComparedRun& run, double loss) {
        run.record.final_val_loss = loss;
        run.record.final_train_loss = loss;
        for (int bucket = 0; bucket < 8; ++bucket) { run.loss_by_position.push_back(loss + 0.4 / (1 + bucket) - 0.1); }
    }
};

}  // namespace loglog
