#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "apps/loglog/bench_attention.hpp"
#include "apps/loglog/verbs.hpp"
#include "distributed/collectives/all_reduce_rate.hpp"
#include "distributed/collectives/mpi_group.hpp"
#include "distributed/mpi/session.hpp"
#include "engine/base/error.hpp"
#include "engine/measure/ceilings.hpp"
#include "experiments/run/estimate.hpp"
#include "experiments/run/training_session.hpp"

namespace loglog {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

struct TrainBenchOptions {
    std::int64_t layers = 2;
    std::int64_t width = 64;
    std::int64_t heads = 2;
    std::int64_t vocab = 512;
    std::int64_t context = 256;
    std::int64_t batch = 16;  // sequences per optimizer step
    std::int64_t micro_batch = 0;
    std::int64_t steps = 9;
    std::int64_t warmup = 2;
    int threads = 1;
    bool json = false;
};

RunSpec bench_spec(const TrainBenchOptions& options) {
    RunSpec spec;
    spec.data.synthetic.documents = 1;  // not read: the bench feeds random tokens
    spec.model.layers = options.layers;
    spec.model.width = options.width;
    spec.model.heads = options.heads;
    spec.model.vocab = options.vocab;
    spec.model.context = options.context;
    spec.train.batch_tokens = options.batch * options.context;
    spec.train.tokens = spec.train.batch_tokens * (options.steps + options.warmup);
    spec.train.micro_batch = options.micro_batch;
    spec.train.schedule.kind = ScheduleKind::constant;
    return resolve(spec, options.vocab);
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const auto middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::int64_t peak_resident_bytes() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss * 1024;
}

void bench_train(const TrainBenchOptions& options) {
    if (options.steps < 5) {
        throw InputError{fmt::format("--steps is {} but a median needs at least 5", options.steps)};
    }
    const auto spec = bench_spec(options);
    const auto cost = estimate(spec);
    const Random random{Seed{1}, Stream::synthetic_data};
    TrainingSession session{spec,
                            [&](std::uint64_t position, std::span<std::int32_t> window) {
                                for (std::size_t i = 0; i < window.size(); ++i) {
                                    window[i] = static_cast<std::int32_t>(random.below(
                                        position * window.size() + i, static_cast<std::uint64_t>(options.vocab)));
                                }
                            },
                            options.threads};

    const double peak_before = measured_fma_peak(options.threads);
    std::vector<double> seconds;
    for (std::int64_t step = 0; step < options.warmup + options.steps; ++step) {
        const auto start = Clock::now();
        session.step();
        if (step >= options.warmup) { seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count()); }
    }
    // The higher of two measurements: a share of a peak taken in a slow moment would flatter.
    const double peak = std::max(peak_before, measured_fma_peak(options.threads));

    const double step_seconds = median(seconds);
    const double tokens_per_second = static_cast<double>(spec.train.batch_tokens) / step_seconds;
    const double share = tokens_per_second * cost.flops_per_token / peak;
    if (options.json) {
        const json result{{"tokens_per_second", tokens_per_second},
                          {"share_of_peak", share},
                          {"peak_flops", peak},
                          {"flops_per_token", cost.flops_per_token},
                          {"peak_memory_bytes", peak_resident_bytes()},
                          {"median_of", options.steps},
                          {"seconds_per_step", step_seconds},
                          {"micro_batch", session.micro_batch()},
                          {"threads", options.threads},
                          {"parameters", cost.parameters.total}};
        fmt::print("{}\n", result.dump(2));
        return;
    }
    fmt::print("{:.4g} tokens/s, {:.1f}% of the measured FMA peak of {:.4g} GFLOP/s ({} thread{})\n", tokens_per_second,
               100 * share, peak / 1e9, options.threads, options.threads == 1 ? "" : "s");
    fmt::print("{:.4g} MFLOP per token, {} parameters, micro-batches of {} sequences, {:.1f} MiB at most\n",
               cost.flops_per_token / 1e6, cost.parameters.total, session.micro_batch(),
               static_cast<double>(peak_resident_bytes()) / (1 << 20));
    fmt::print("median of {} steps of {} tokens, {:.3f} ms each\n", options.steps, spec.train.batch_tokens,
               1e3 * step_seconds);
}

/// Bytes per second of buffers that all ranks of the job add up; nothing without other ranks.
struct AllReduceRates {
    int ranks = 1;
    double mebibyte = 0;  ///< of 1 MiB buffers
    double large = 0;     ///< of 64 MiB
    bool leads = true;    ///< on the rank that prints
};

AllReduceRates measure_all_reduce() {
    if (!started_by_launcher()) { return {}; }
    const MpiSession session;
    const auto group = make_group(Communicator::world(), Reduction::fast, "world");
    const auto rate = [&](std::size_t bytes) { return static_cast<double>(bytes) / all_reduce_seconds(*group, bytes); };
    if (group->size() == 1) { return {}; }
    AllReduceRates rates{.ranks = group->size(), .leads = group->rank() == 0};
    rates.mebibyte = rate(std::size_t{1} << 20);
    rates.large = rate(std::size_t{64} << 20);
    return rates;
}

void bench_ceilings(int threads, bool as_json) {
    const auto all_reduce = measure_all_reduce();
    const auto ceilings = measure_ceilings(threads);
    const auto& triad = ceilings.triad;
    if (!all_reduce.leads) { return; }
    if (as_json) {
        json result{{"threads", ceilings.threads},
                    {"fma_flops", ceilings.fma_flops},
                    {"triad_bytes_per_second", {{"l2", triad.l2}, {"l3", triad.l3}, {"dram", triad.dram}}},
                    {"ranks", all_reduce.ranks},
                    {"all_reduce_bytes_per_second", nullptr}};
        if (all_reduce.ranks > 1) {
            result["all_reduce_bytes_per_second"] = {{"1MiB", all_reduce.mebibyte}, {"64MiB", all_reduce.large}};
        }
        fmt::print("{}\n", result.dump(2));
        return;
    }
    fmt::print("{} thread{}\n", threads, threads == 1 ? "" : "s");
    fmt::print("fp32 fused multiply-add  {:8.1f} GFLOP/s\n", ceilings.fma_flops / 1e9);
    fmt::print("triad in L2              {:8.1f} GB/s\n", triad.l2 / 1e9);
    fmt::print("triad in L3              {:8.1f} GB/s\n", triad.l3 / 1e9);
    fmt::print("triad in memory          {:8.1f} GB/s\n", triad.dram / 1e9);
    if (all_reduce.ranks == 1) {
        fmt::print("all-reduce               not measured: one rank (mpirun -n 2 loglog bench ceilings)\n");
        return;
    }
    fmt::print("all-reduce of 1 MiB      {:8.1f} GB/s ({} ranks)\n", all_reduce.mebibyte / 1e9, all_reduce.ranks);
    fmt::print("all-reduce of 64 MiB     {:8.1f} GB/s\n", all_reduce.large / 1e9);
}

void add_ceilings_bench(CLI::App& verb) {
    struct Options {
        int threads = 1;
        bool json = false;
    };
    auto options = std::make_shared<Options>();
    auto* bench = verb.add_subcommand(
        "ceilings", "Multiply-add peak and memory bandwidth of this machine; under mpirun also all-reduce");
    bench->add_option("--threads", options->threads)->check(CLI::PositiveNumber);
    bench->add_flag("--json", options->json, "Print the result as JSON");
    bench->callback([options] { bench_ceilings(options->threads, options->json); });
}

void add_train_bench(CLI::App& verb) {
    auto options = std::make_shared<TrainBenchOptions>();
    auto* bench = verb.add_subcommand("train", "Optimizer steps of a GPT on random tokens, as a share of the FMA peak");
    bench->add_option("--layers", options->layers);
    bench->add_option("--width", options->width);
    bench->add_option("--heads", options->heads);
    bench->add_option("--vocab", options->vocab);
    bench->add_option("--context", options->context, "Tokens per sequence");
    bench->add_option("--batch", options->batch, "Sequences per optimizer step");
    bench->add_option("--micro-batch", options->micro_batch, "Sequences per pass (0: chosen for the cache)");
    bench->add_option("--steps", options->steps, "Steps timed; the median is reported");
    bench->add_option("--threads", options->threads)->check(CLI::PositiveNumber);
    bench->add_flag("--json", options->json, "Print the result as JSON");
    bench->callback([options] { bench_train(*options); });
}

}  // namespace

void add_bench_verb(CLI::App& app, Program&) {
    auto* verb = app.add_subcommand("bench", "This machine's ceilings, and the engine's share of them in the same run");
    verb->require_subcommand(1);
    add_ceilings_bench(*verb);
    add_train_bench(*verb);
    add_attention_bench(*verb);
}

}  // namespace loglog
