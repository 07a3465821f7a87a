#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdlib>
#include <vector>

#include "engine/base/random.hpp"
#include "engine/kernels/attention.hpp"

namespace {

using namespace loglog;

/// A fused q, k, v row per token and everything a forward and a backward pass read and write.
struct Work {
    AttentionSizes sizes;
    std::size_t row;
    std::vector<float> qkv, d_out, out, lse, d_qkv;
    CpuContext cpu;

    Work(const AttentionSizes& s, int threads)
        : sizes{s},
          row{(s.heads + 2 * s.kv_heads) * s.head_dim},
          qkv(s.batch * s.time * row),
          d_out(s.batch * s.time * s.heads * s.head_dim),
          out(d_out.size()),
          lse(s.batch * s.heads * s.time),
          d_qkv(qkv.size()),
          cpu{threads} {
        const Random random{Seed{1}, Stream::synthetic_data};
        for (std::size_t i = 0; i < qkv.size(); ++i) { qkv[i] = static_cast<float>(random.normal(i)); }
        for (std::size_t i = 0; i < d_out.size(); ++i) { d_out[i] = static_cast<float>(random.normal(i)); }
        run(cpu, forward());
        run(cpu, backward());
        if (!std::isfinite(out[0]) || !std::isfinite(d_qkv[0])) { std::abort(); }
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
                scale()};
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
                scale()};
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

BENCHMARK(forward)->Apply(sizes);
BENCHMARK(backward)->Apply(sizes);

}  // namespace

BENCHMARK_MAIN();
