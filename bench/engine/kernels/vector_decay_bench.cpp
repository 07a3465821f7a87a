#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdlib>
#include <span>

#include "engine/base/random.hpp"
#include "engine/kernels/vector_decay_attention.hpp"
#include "engine/measure/ceilings.hpp"
#include "engine/tensor/arena.hpp"

namespace {

using namespace loglog;

/// A fused q, k, v row per token and everything a forward and a backward pass read and write.
struct Work {
    LinearAttentionSizes sizes;
    std::size_t row;
    Arena arena;  // as in training, on huge pages
    std::span<float> qkv, d_out, out, g, d_qkv, dg;
    CpuContext cpu;

    Work(const LinearAttentionSizes& s, int threads)
        : sizes{s},
          row{(s.heads + s.kv_heads) * s.key_dim + s.kv_heads * s.value_dim},
          qkv{take(s.batch * s.time * row)},
          d_out{take(s.batch * s.time * s.heads * s.value_dim)},
          out{take(d_out.size())},
          g{take(s.batch * s.time * s.heads * s.key_dim)},
          d_qkv{take(qkv.size())},
          dg{take(g.size())},
          cpu{threads} {
        const Random random{Seed{1}, Stream::synthetic_data};
        for (std::size_t i = 0; i < qkv.size(); ++i) { qkv[i] = static_cast<float>(random.normal(i)); }
        for (std::size_t i = 0; i < d_out.size(); ++i) { d_out[i] = static_cast<float>(random.normal(i)); }
        for (std::size_t i = 0; i < g.size(); ++i) { g[i] = -std::abs(static_cast<float>(random.normal(i))) / 16; }
        run(cpu, forward());
        run(cpu, backward());
        if (!std::isfinite(out[0]) || !std::isfinite(d_qkv[0]) || !std::isfinite(dg[0])) { std::abort(); }
    }

    std::span<float> take(std::size_t count) {
        return {reinterpret_cast<float*>(arena.allocate(count * sizeof(float))), count};
    }
    std::size_t k_at() const { return sizes.heads * sizes.key_dim; }
    std::size_t v_at() const { return k_at() + sizes.kv_heads * sizes.key_dim; }
    std::size_t width() const { return sizes.heads * sizes.value_dim; }

    VectorDecayInputs<float> inputs() const {
        return {.sizes = sizes,
                .q = {qkv.data(), row},
                .k = {qkv.data() + k_at(), row},
                .v = {qkv.data() + v_at(), row},
                .g = g.data(),
                .scale = 1 / std::sqrt(static_cast<double>(sizes.key_dim))};
    }
    VectorDecayForward<float> forward() { return {inputs(), {out.data(), width()}}; }
    VectorDecayBackward<float> backward() {
        return {.in = inputs(),
                .d_out = {d_out.data(), width()},
                .dq = {d_qkv.data(), row},
                .dk = {d_qkv.data() + k_at(), row},
                .dv = {d_qkv.data() + v_at(), row},
                .dg = dg.data()};
    }
};

Work work_of(const benchmark::State& state) {
    const auto heads = static_cast<std::size_t>(state.range(1)), dim = static_cast<std::size_t>(state.range(2));
    return {{1, static_cast<std::size_t>(state.range(0)), heads, heads, dim, dim, 64},
            static_cast<int>(state.range(3))};
}

/// Fractions of the most multiply-adds that as many threads are seen to do: of the method's, by which mixers are
/// compared, and of what is executed.
void count(benchmark::State& state, const Work& work, const Cost& cost) {
    using benchmark::Counter;
    const double peak = measured_fma_peak(work.cpu.threads());
    state.counters["FLOP/s"] = Counter(cost.model_flops, Counter::kIsIterationInvariantRate, Counter::kIs1000);
    state.counters["of peak"] = Counter(cost.model_flops / peak, Counter::kIsIterationInvariantRate);
    state.counters["executed of peak"] = Counter(cost.hardware_flops / peak, Counter::kIsIterationInvariantRate);
    state.counters["token"] = Counter(static_cast<double>(work.sizes.time),
                                      Counter::kIsIterationInvariantRate | Counter::kInvert, Counter::kIs1000);
}

void forward(benchmark::State& state) {
    Work work = work_of(state);
    for (auto _ : state) { run(work.cpu, work.forward()); }
    count(state, work, cost(work.forward()));
}

void backward(benchmark::State& state) {
    Work work = work_of(state);
    for (auto _ : state) { run(work.cpu, work.backward()); }
    count(state, work, cost(work.backward()));
}

void sizes(benchmark::internal::Benchmark* bench) {
    bench->ArgNames({"time", "heads", "dim", "threads"})->UseRealTime();
    bench->Args({2048, 4, 64, 1})->Args({16384, 4, 64, 1})->Args({2048, 4, 64, 2});
    bench->Args({2048, 4, 32, 1})->Args({2048, 4, 128, 1});
}

BENCHMARK(forward)->Apply(sizes);
BENCHMARK(backward)->Apply(sizes);

}  // namespace

BENCHMARK_MAIN();
