#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdlib>
#include <vector>

#include "engine/base/random.hpp"
#include "engine/kernels/activation.hpp"
#include "engine/kernels/adamw.hpp"
#include "engine/kernels/cross_entropy.hpp"
#include "engine/kernels/elementwise.hpp"
#include "engine/kernels/embedding.hpp"
#include "engine/kernels/layer_norm.hpp"
#include "engine/kernels/rms_norm.hpp"
#include "engine/kernels/rotary.hpp"

namespace {

using namespace loglog;

std::vector<float> values(std::size_t count) {
    const Random random{Seed{1}, Stream::synthetic_data};
    std::vector<float> result(count);
    for (std::size_t i = 0; i < count; ++i) { result[i] = static_cast<float>(random.normal(i)); }
    return result;
}

/// Times the kernel and states its bytes and elements per second.
template <class Kernel>
void measure(benchmark::State& state, const Kernel& kernel, std::size_t elements, const float& result) {
    CpuContext cpu;
    run(cpu, kernel);
    if (!std::isfinite(result)) { std::abort(); }
    for (auto _ : state) { run(cpu, kernel); }
    using benchmark::Counter;
    const Cost work = cost(kernel);
    state.counters["B/s"] =
        Counter(work.bytes_read + work.bytes_written, Counter::kIsIterationInvariantRate, Counter::kIs1024);
    state.counters["elements/s"] =
        Counter(static_cast<double>(elements), Counter::kIsIterationInvariantRate, Counter::kIs1000);
}

constexpr std::size_t rows = 512;

void layer_norm_forward(benchmark::State& state) {
    const auto width = static_cast<std::size_t>(state.range(0));
    const auto x = values(rows * width), gain = values(width), bias = values(width);
    std::vector<float> y(x.size()), mean(rows), inv_std(rows);
    measure(state, LayerNormForward<float>{x, gain, bias, y, mean, inv_std, 1e-5f}, x.size(), y[0]);
}

void layer_norm_backward(benchmark::State& state) {
    const auto width = static_cast<std::size_t>(state.range(0));
    const auto x = values(rows * width), gain = values(width), dy = values(x.size());
    std::vector<float> mean(rows, 0.0f), inv_std(rows, 1.0f), dx(x.size()), dgain(width), dbias(width);
    measure(state, LayerNormBackward<float>{x, gain, mean, inv_std, dy, dx, dgain, dbias, false, false}, x.size(),
            dx[0]);
}

void rms_norm_forward(benchmark::State& state) {
    const auto width = static_cast<std::size_t>(state.range(0));
    const auto x = values(rows * width), gain = values(width);
    std::vector<float> y(x.size()), inv_rms(rows);
    measure(state, RmsNormForward<float>{{rows, 1, width, width, width}, x.data(), gain, y.data(), inv_rms, 1e-5f},
            x.size(), y[0]);
}

void cross_entropy(benchmark::State& state) {
    const auto vocab = static_cast<std::size_t>(state.range(0));
    auto logits = values(64 * vocab);
    const std::vector<std::int32_t> targets(64, 3);
    std::vector<float> loss(64), log_z(64);
    measure(state, CrossEntropy<float>{logits, targets, loss, log_z, vocab}, logits.size(), loss[0]);
}

void activation_forward(benchmark::State& state) {
    const auto x = values(1 << 14);
    std::vector<float> y(x.size());
    measure(state, ActivationForward<float>{static_cast<Activation>(state.range(0)), x, y}, x.size(), y[0]);
}

void activation_backward(benchmark::State& state) {
    const auto x = values(1 << 14), dy = values(1 << 14);
    std::vector<float> dx(x.size());
    measure(state, ActivationBackward<float>{static_cast<Activation>(state.range(0)), x, dy, dx}, x.size(), dx[0]);
}

void swiglu_forward(benchmark::State& state) {
    const auto x = values(64 * 512);
    std::vector<float> y(64 * 256);
    measure(state, SwigluForward<float>{x, y, 256}, y.size(), y[0]);
}

void swiglu_backward(benchmark::State& state) {
    const auto x = values(64 * 512), dy = values(64 * 256);
    std::vector<float> dx(x.size());
    measure(state, SwigluBackward<float>{x, dy, dx, 256}, dy.size(), dx[0]);
}

void adamw(benchmark::State& state) {
    const auto count = static_cast<std::size_t>(state.range(0));
    auto value = values(count);
    const auto gradient = values(count);
    std::vector<float> m(count), v(count);
    measure(state, AdamW<float>{value, gradient, m, v, 1e-9f, 0.1f, 0.9f, 0.95f, 1e-8f, 1, 1, 1}, count, value[0]);
}

void dropout(benchmark::State& state) {
    const auto x = values(256 * 64);
    std::vector<float> y(x.size());
    measure(state, Dropout<float>{x, {}, y, 64, 0.1f, {1, 2}, 0, 0, 0}, x.size(), y[0]);
}

void column_sum(benchmark::State& state) {
    const auto width = static_cast<std::size_t>(state.range(0));
    const auto x = values(rows * width);
    std::vector<float> out(width);
    measure(state, ColumnSum<float>{x, out}, x.size(), out[0]);
}

void embedding_backward(benchmark::State& state) {
    const auto width = static_cast<std::size_t>(state.range(0));
    std::vector<std::int32_t> tokens(rows);
    for (std::size_t i = 0; i < rows; ++i) { tokens[i] = static_cast<std::int32_t>(i * 977 % 512); }
    const auto dy = values(rows * width);
    std::vector<float> table(512 * width), positions(256 * width);
    measure(state, EmbeddingBackward<float>{tokens, dy, table, positions, 256, width}, dy.size(), table[0]);
}

void rotary(benchmark::State& state) {
    auto x = values(256 * 3 * 256);
    const std::vector<float> cosine(256 * 32, 0.6f), sine(256 * 32, 0.8f);
    measure(state, Rotary<float>{x.data(), 256, 256, 4, 64, 3 * 256, cosine, sine}, 256 * 256, x[0]);
}

BENCHMARK(layer_norm_forward)->Arg(64)->Arg(256)->Arg(768);
BENCHMARK(layer_norm_backward)->Arg(64)->Arg(256)->Arg(768);
BENCHMARK(rms_norm_forward)->Arg(64)->Arg(256);
BENCHMARK(cross_entropy)->Arg(512)->Arg(8192);
BENCHMARK(activation_forward)->Arg(1)->Arg(2)->Arg(3);
BENCHMARK(activation_backward)->Arg(1)->Arg(2)->Arg(3);
BENCHMARK(swiglu_forward);
BENCHMARK(swiglu_backward);
BENCHMARK(adamw)->Arg(1 << 14)->Arg(1 << 22);
BENCHMARK(dropout);
BENCHMARK(column_sum)->Arg(64)->Arg(768);
BENCHMARK(embedding_backward)->Arg(64)->Arg(768);
BENCHMARK(rotary);

}  // namespace

BENCHMARK_MAIN();
