#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdlib>
#include <vector>

#include "engine/base/random.hpp"
#include "engine/kernels/delta_attention.hpp"
#include "engine/kernels/short_convolution.hpp"
#include "engine/measure/ceilings.hpp"

namespace {

using namespace loglog;

std::vector<float> normal_values(std::size_t count, std::uint64_t group) {
    const Random random{Seed{1}, Stream::synthetic_data, group};
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i) { values[i] = static_cast<float>(random.normal(i)); }
    return values;
}

/// A fused q, k, v row per token and everything a forward and a backward pass read and write.
struct Work {
    DeltaAttentionSizes sizes;
    std::size_t row;
    std::vector<float> qkv, beta, g, d_out, out, states, d_qkv, d_beta, d_g;
    CpuContext cpu;

    Work(const DeltaAttentionSizes& s, int threads)
        : sizes{s},
          row{s.heads * s.key_dim + s.kv_heads * (s.key_dim + s.value_dim)},
          qkv(normal_values(s.batch * s.time * row, 1)),
          beta(normal_values(s.batch * s.time * s.heads, 2)),
          g(normal_values(s.batch * s.time * s.heads, 3)),
          d_out(normal_values(s.batch * s.time * s.heads * s.value_dim, 4)),
          out(d_out.size()),
          states(s.saved_states() * s.key_dim * s.value_dim),
          d_qkv(qkv.size()),
          d_beta(beta.size()),
          d_g(g.size()),
          cpu{threads} {
        for (float& x : beta) { x = 1 / (1 + std::exp(-x)); }
        for (float& x : g) { x = -0.05F * x * x; }
        both();
        if (!std::isfinite(out.back()) || !std::isfinite(d_qkv[0]) || !std::isfinite(d_g[0])) { std::abort(); }
    }

    std::size_t k_at() const { return sizes.heads * sizes.key_dim; }
    std::size_t v_at() const { return k_at() + sizes.kv_heads * sizes.key_dim; }
    std::size_t out_row() const { return sizes.heads * sizes.value_dim; }

    DeltaAttentionInputs<float> inputs() const {
        return {sizes,
                {qkv.data(), row},
                {qkv.data() + k_at(), row},
                {qkv.data() + v_at(), row},
                beta,
                g,
                {},
                1 / std::sqrt(static_cast<float>(sizes.key_dim))};
    }
    DeltaAttentionForward<float> forward() { return {inputs(), {out.data(), out_row()}, states, {}}; }
    DeltaAttentionBackward<float> backward() {
        return {inputs(),
                states,
                {d_out.data(), out_row()},
                {d_qkv.data(), row},
                {d_qkv.data() + k_at(), row},
                {d_qkv.data() + v_at(), row},
                d_beta,
                d_g};
    }
    void both() {
        run(cpu, forward());
        run(cpu, backward());
    }
};

Work work_of(const benchmark::State& state) {
    return {{1, static_cast<std::size_t>(state.range(0)), 4, 4, 64, 64, static_cast<std::size_t>(state.range(1))},
            static_cast<int>(state.range(2))};
}

/// Rates, and model FLOPs as a share of what the machine's multiply-adds reach at this moment.
void count(benchmark::State& state, const Cost& cost, double tokens, int threads) {
    using benchmark::Counter;
    state.counters["of_peak"] =
        Counter(cost.model_flops / measured_fma_peak(threads), Counter::kIsIterationInvariantRate);
    state.counters["FLOP/s"] = Counter(cost.model_flops, Counter::kIsIterationInvariantRate, Counter::kIs1000);
    state.counters["executed/s"] = Counter(cost.hardware_flops, Counter::kIsIterationInvariantRate, Counter::kIs1000);
    state.counters["tokens/s"] = Counter(tokens, Counter::kIsIterationInvariantRate, Counter::kIs1000);
}

void delta_forward(benchmark::State& state) {
    Work work = work_of(state);
    for (auto _ : state) { run(work.cpu, work.forward()); }
    count(state, cost(work.forward()), static_cast<double>(work.sizes.time), work.cpu.threads());
}

void delta_both(benchmark::State& state) {
    Work work = work_of(state);
    for (auto _ : state) { work.both(); }
    Cost total = cost(work.forward());
    total += cost(work.backward());
    count(state, total, static_cast<double>(work.sizes.time), work.cpu.threads());
}

void delta_sizes(benchmark::internal::Benchmark* bench) {
    bench->ArgNames({"time", "chunk", "threads"})->UseRealTime();
    bench->Args({2048, 64, 1})->Args({16384, 64, 1})->Args({2048, 64, 2})->Args({2048, 32, 1})->Args({2048, 128, 1});
}

BENCHMARK(delta_forward)->Apply(delta_sizes);
BENCHMARK(delta_both)->Apply(delta_sizes);

/// Forward and backward over q, k and v of 4 heads of 64 channels.
void convolution(benchmark::State& state) {
    const ShortConvolutionSizes sizes{2048, 2048, 768, 4};
    const auto x = normal_values(sizes.rows * sizes.channels, 1), dy = normal_values(x.size(), 2);
    const auto weight = normal_values(sizes.channels * sizes.taps, 3);
    std::vector<float> y(x.size()), dx(x.size()), dweight(weight.size());
    CpuContext cpu{static_cast<int>(state.range(0))};
    const ShortConvolutionForward<float> forward{sizes, x, weight, {}, y};
    const ShortConvolutionBackward<float> backward{sizes, x, weight, {}, dy, dx, dweight};
    for (auto _ : state) {
        run(cpu, forward);
        run(cpu, backward);
    }
    Cost total = cost(forward);
    total += cost(backward);
    state.counters["B/s"] =
        benchmark::Counter(total.bytes_read + total.bytes_written, benchmark::Counter::kIsIterationInvariantRate);
    count(state, total, static_cast<double>(sizes.rows), cpu.threads());
}
BENCHMARK(convolution)->ArgName("threads")->Arg(1)->Arg(2)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
