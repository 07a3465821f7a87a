#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdlib>
#include <span>

#include "engine/base/random.hpp"
#include "engine/kernels/linear_attention.hpp"
#include "engine/measure/ceilings.hpp"
#include "engine/tensor/arena.hpp"

namespace {

using namespace loglog;

enum class Kind { elu, ssd };

/// A fused q, k, v row per token and everything a forward and a backward pass read and write.
struct Work {
    LinearAttentionSizes sizes;
    Kind kind;
    std::size_t row;
    Arena arena;  // as in training, on huge pages
    std::span<float> qkv, d_out, out, normalizers, g, d_qkv, dg;
    CpuContext cpu;

    Work(const LinearAttentionSizes& s, Kind kind_, int threads)
        : sizes{s},
          kind{kind_},
          row{(s.heads + s.kv_heads) * s.key_dim + s.kv_heads * s.value_dim},
          qkv{take(s.batch * s.time * row)},
          d_out{take(s.batch * s.time * s.heads * s.value_dim)},
          out{take(d_out.size())},
          normalizers{take(kind == Kind::elu ? s.batch * s.heads * s.time : 0)},
          g{take(kind == Kind::ssd ? s.batch * s.heads * s.time : 0)},
          d_qkv{take(qkv.size())},
          dg{take(g.size())},
          cpu{threads} {
        const Random random{Seed{1}, Stream::synthetic_data};
        for (std::size_t i = 0; i < qkv.size(); ++i) { qkv[i] = static_cast<float>(random.normal(i)); }
        for (std::size_t i = 0; i < d_out.size(); ++i) { d_out[i] = static_cast<float>(random.normal(i)); }
        for (std::size_t i = 0; i < g.size(); ++i) { g[i] = -std::abs(static_cast<float>(random.normal(i))) / 8; }
        run(cpu, forward());
        run(cpu, backward());
        if (!std::isfinite(out[0]) || !std::isfinite(d_qkv[0])) { std::abort(); }
    }

    std::span<float> take(std::size_t count) {
        return {reinterpret_cast<float*>(arena.allocate(count * sizeof(float))), count};
    }
    std::size_t k_at() const { return sizes.heads * sizes.key_dim; }
    std::size_t v_at() const { return k_at() + sizes.kv_heads * sizes.key_dim; }
    std::size_t width() const { return sizes.heads * sizes.value_dim; }

    LinearAttentionInputs<float> inputs() const {
        return {.sizes = sizes,
                .q = {qkv.data(), row},
                .k = {qkv.data() + k_at(), row},
                .v = {qkv.data() + v_at(), row},
                .map = kind == Kind::elu ? FeatureMap::elu_plus_one : FeatureMap::identity,
                .scale = kind == Kind::elu ? 1 : 1 / std::sqrt(static_cast<double>(sizes.key_dim)),
                .g = {g.empty() ? nullptr : g.data(), sizes.heads}};
    }
    LinearAttentionForward<float> forward() { return {inputs(), {out.data(), width()}, {normalizers, 1e-6}}; }
    LinearAttentionBackward<float> backward() {
        return {.in = inputs(),
                .out = {out.data(), width()},
                .normalizers = {normalizers, 1e-6},
                .d_out = {d_out.data(), width()},
                .dq = {d_qkv.data(), row},
                .dk = {d_qkv.data() + k_at(), row},
                .dv = {d_qkv.data() + v_at(), row},
                .dg = dg};
    }
};

template <Kind kind>
Work work_of(const benchmark::State& state) {
    const auto dim = static_cast<std::size_t>(state.range(2));
    const auto heads = static_cast<std::size_t>(state.range(1));
    return {
        {1, static_cast<std::size_t>(state.range(0)), heads, heads, dim, dim, static_cast<std::size_t>(state.range(3))},
        kind,
        static_cast<int>(state.range(4))};
}

void count(benchmark::State& state, const Work& work, const Cost& cost) {
    using benchmark::Counter;
    state.counters["FLOP/s"] = Counter(cost.model_flops, Counter::kIsIterationInvariantRate, Counter::kIs1000);
    // Of the most multiply-adds that as many threads are seen to do.
    state.counters["of peak"] =
        Counter(cost.model_flops / measured_fma_peak(work.cpu.threads()), Counter::kIsIterationInvariantRate);
    state.counters["executed/s"] = Counter(cost.hardware_flops, Counter::kIsIterationInvariantRate, Counter::kIs1000);
    state.counters["token"] = Counter(static_cast<double>(work.sizes.time),
                                      Counter::kIsIterationInvariantRate | Counter::kInvert, Counter::kIs1000);
}

template <Kind kind>
void forward(benchmark::State& state) {
    Work work = work_of<kind>(state);
    for (auto _ : state) { run(work.cpu, work.forward()); }
    count(state, work, cost(work.forward()));
}

template <Kind kind>
void backward(benchmark::State& state) {
    Work work = work_of<kind>(state);
    for (auto _ : state) { run(work.cpu, work.backward()); }
    count(state, work, cost(work.backward()));
}

template <Kind kind>
void both(benchmark::State& state) {
    Work work = work_of<kind>(state);
    for (auto _ : state) {
        run(work.cpu, work.forward());
        run(work.cpu, work.backward());
    }
    Cost total = cost(work.forward());
    total += cost(work.backward());
    count(state, work, total);
}

void sizes(benchmark::internal::Benchmark* bench) {
    bench->ArgNames({"time", "heads", "dim", "chunk", "threads"})->UseRealTime();
    bench->Args({2048, 4, 64, 64, 1})->Args({16384, 4, 64, 64, 1})->Args({2048, 4, 64, 64, 2});
    bench->Args({2048, 4, 32, 64, 1})->Args({2048, 4, 128, 64, 1})->Args({2048, 4, 64, 128, 1});
}

BENCHMARK(both<Kind::elu>)->Name("both_elu")->Apply(sizes);
BENCHMARK(both<Kind::ssd>)->Name("both_ssd")->Apply(sizes);
BENCHMARK(forward<Kind::elu>)->Name("forward_elu")->Apply(sizes);
BENCHMARK(forward<Kind::ssd>)->Name("forward_ssd")->Apply(sizes);
BENCHMARK(backward<Kind::elu>)->Name("backward_elu")->Apply(sizes);
BENCHMARK(backward<Kind::ssd>)->Name("backward_ssd")->Apply(sizes);

}  // namespace

BENCHMARK_MAIN();
