#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "engine/base/random.hpp"
#include "engine/kernels/attention.hpp"
#include "engine/kernels/attention_moba.hpp"
#include "engine/measure/ceilings.hpp"

namespace {

using namespace loglog;

/// A fused q, k, v row per token and everything a forward and a backward pass read and write.
struct Work {
    AttentionSizes sizes;
    std::size_t row;
    std::vector<float> qkv, d_out, out, lse, d_qkv;
    CpuContext cpu;
    AttentionMask mask;
    std::size_t block;
    std::vector<std::int32_t> chosen;
    AttentionVisibility visible = {};

    /// `window` 0: dense; `chosen_block` 0: no choice of blocks (the four best otherwise).
    Work(const AttentionSizes& s, int threads, std::int64_t window = 0, std::size_t chosen_block = 0)
        : sizes{s},
          row{(s.heads + 2 * s.kv_heads) * s.head_dim},
          qkv(s.batch * s.time * row),
          d_out(s.batch * s.time * s.heads * s.head_dim),
          out(d_out.size()),
          lse(s.batch * s.heads * s.time),
          d_qkv(qkv.size()),
          cpu{threads},
          mask{window_mask(static_cast<std::int64_t>(s.time), std::max<std::int64_t>(window, 1), 0)},
          block{chosen_block},
          chosen(block == 0 ? 0 : s.batch * s.time * s.heads * top_k) {
        if (window > 0) { visible.mask = &mask; }
        if (block > 0) { visible.selection = {.block = block, .top_k = top_k, .blocks = chosen}; }
        const Random random{Seed{1}, Stream::synthetic_data};
        for (std::size_t i = 0; i < qkv.size(); ++i) { qkv[i] = static_cast<float>(random.normal(i)); }
        for (std::size_t i = 0; i < d_out.size(); ++i) { d_out[i] = static_cast<float>(random.normal(i)); }
        run_forward();
        run(cpu, backward());
        if (!std::isfinite(out[0]) || !std::isfinite(d_qkv[0])) { std::abort(); }
    }

    static constexpr std::size_t top_k = 4;

    AttentionBlockChoice<float> choice() {
        return {sizes, {qkv.data(), row}, {qkv.data() + k_at(), row}, block, top_k, {}, chosen};
    }
    void run_forward() {
        if (block > 0) { run(cpu, choice()); }
        run(cpu, forward());
    }
    double model_flops() {
        const double attention = cost(forward()).model_flops + cost(backward()).model_flops;
        return attention + (block > 0 ? cost(choice()).model_flops : 0);
    }
    float scale() const { return 1 / std::sqrt(static_cast<float>(sizes.head_dim)); }
    std::size_t k_at() const { return sizes.heads * sizes.head_dim; }
    std::size_t v_at() const { return k_at() + sizes.kv_heads * sizes.head_dim; }

    AttentionForward<float> forward() {
        return {sizes,
                {qkv.data(), row},
                {qkv.data() + k_at(), row},
                {qkv.data() + v_at(), row},
                {out.data(), k_at()},
                lse,
                scale(),
                {},
                visible};
    }
    AttentionBackward<float> backward() {
        return {sizes,
                {qkv.data(), row},
                {qkv.data() + k_at(), row},
                {qkv.data() + v_at(), row},
                {out.data(), k_at()},
                {d_out.data(), k_at()},
                lse,
                {d_qkv.data(), row},
                {d_qkv.data() + k_at(), row},
                {d_qkv.data() + v_at(), row},
                scale(),
                {},
                visible};
    }
};

Work work_of(const benchmark::State& state) {
    const auto heads = static_cast<std::size_t>(state.range(2));
    return {{static_cast<std::size_t>(state.range(0)), static_cast<std::size_t>(state.range(1)), heads, heads,
             static_cast<std::size_t>(state.range(3))},
            static_cast<int>(state.range(4))};
}

void count(benchmark::State& state, const Cost& cost) {
    state.counters["FLOP/s"] = benchmark::Counter(cost.model_flops, benchmark::Counter::kIsIterationInvariantRate,
                                                  benchmark::Counter::kIs1000);
}

void forward(benchmark::State& state) {
    Work work = work_of(state);
    for (auto _ : state) { run(work.cpu, work.forward()); }
    count(state, cost(work.forward()));
}

void backward(benchmark::State& state) {
    Work work = work_of(state);
    for (auto _ : state) { run(work.cpu, work.backward()); }
    count(state, cost(work.backward()));
}

void sizes(benchmark::internal::Benchmark* bench) {
    bench->ArgNames({"batch", "time", "heads", "dim", "threads"});
    bench->Args({4, 256, 2, 32, 1})->Args({4, 256, 2, 64, 1})->Args({2, 256, 4, 64, 1});
    bench->Args({1, 1024, 2, 64, 1})->Args({1, 2048, 4, 64, 1})->Args({1, 1024, 2, 128, 1})->Args({1, 2048, 4, 64, 2});
}

/// Both passes of four heads of 64 channels; FLOPs of visible pairs alone, also as a share of what the cores can do.
void step(benchmark::State& state) {
    const int threads = static_cast<int>(state.range(0));
    Work work{{1, static_cast<std::size_t>(state.range(1)), 4, 4, 64},
              threads,
              state.range(2),
              static_cast<std::size_t>(state.range(3))};
    for (auto _ : state) {
        work.run_forward();
        run(work.cpu, work.backward());
    }
    const double flops = work.model_flops();
    const double tokens = static_cast<double>(work.sizes.time);
    state.counters["FLOP/s"] =
        benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate, benchmark::Counter::kIs1000);
    state.counters["token/s"] = benchmark::Counter(tokens, benchmark::Counter::kIsIterationInvariantRate);
    state.counters["of_peak"] =
        benchmark::Counter(flops / measured_fma_peak(threads), benchmark::Counter::kIsIterationInvariantRate);
}

void kinds(benchmark::internal::Benchmark* bench, int threads) {
    bench->ArgNames({"threads", "time", "window", "moba"});
    for (const int time : {1024, 2048, 4096, 16384}) {
        bench->Args({threads, time, 0, 0})->Args({threads, time, 256, 0})->Args({threads, time, 0, 64});
    }
}

// One thread is measured by its own time, which others that compile meanwhile do not lengthen.
BENCHMARK(step)->Apply([](auto* bench) { kinds(bench, 1); });
BENCHMARK(step)->Apply([](auto* bench) { kinds(bench, 2); }) -> UseRealTime();
BENCHMARK(forward)->Apply(sizes);
BENCHMARK(backward)->Apply(sizes);

}  // namespace

BENCHMARK_MAIN();
