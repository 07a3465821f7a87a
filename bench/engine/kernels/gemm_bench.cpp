#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "engine/kernels/gemm.hpp"
#include "engine/measure/ceilings.hpp"

namespace loglog {
namespace {

enum class Product { forward, forward_gelu, input_gradient, input_gradient_gated, weight_gradient };

/// One linear layer's products: y[rows, out] = x[rows, in] w[out, in]^T and its two gradients.
class Layer {
  public:
    Layer(std::size_t rows, std::size_t in, std::size_t out)
        : rows_{rows},
          in_{in},
          out_{out},
          x_(filled(rows * in)),
          w_(filled(out * in)),
          bias_(filled(out)),
          y_(filled(rows * out)),
          pre_(rows * out),
          dx_(rows * in),
          dw_(out * in) {}

    Gemm<float> gemm(Product product) {
        const MatrixView<const float> x{x_.data(), rows_, in_, in_};
        const MatrixView<const float> w{w_.data(), out_, in_, in_};
        const MatrixView<const float> dy{y_.data(), rows_, out_, out_};
        Gemm<float> forward{GemmForm::nt, x, w, {y_.data(), rows_, out_, out_}};
        Gemm<float> to_input{GemmForm::nn, dy, w, {dx_.data(), rows_, in_, in_}};
        switch (product) {
            case Product::forward:
                return forward;
            case Product::forward_gelu:
                forward.bias = bias_.data();
                forward.pre_activation = {pre_.data(), rows_, out_, out_};
                forward.activation = Activation::gelu;
                return forward;
            case Product::input_gradient:
                return to_input;
            case Product::input_gradient_gated:
                to_input.gate = x;
                to_input.gate_activation = Activation::gelu;
                return to_input;
            case Product::weight_gradient:
                break;
        }
        Gemm<float> to_weight{GemmForm::tn, dy, x, {dw_.data(), out_, in_, in_}};
        to_weight.accumulate = Accumulate::yes;
        return to_weight;
    }

    /// Whether one element of x w^T is what a sum in double says.
    bool is_right(CpuContext& cpu) {
        run(cpu, gemm(Product::forward));
        double sum = 0;
        double size = 0;
        for (std::size_t p = 0; p < in_; ++p) {
            const double product = static_cast<double>(x_[(rows_ - 1) * in_ + p]) * w_[(out_ - 1) * in_ + p];
            sum += product;
            size += std::abs(product);
        }
        const double allowed = static_cast<double>(in_) * 1.2e-7 * size;
        const bool result = std::abs(y_.back() - sum) <= allowed;
        y_ = filled(y_.size());
        return result;
    }

  private:
    static std::vector<float> filled(std::size_t count) {
        std::vector<float> values(count);
        for (std::size_t i = 0; i < count; ++i) { values[i] = static_cast<float>((i * 7919) % 1000) / 1000 - 0.5f; }
        return values;
    }

    std::size_t rows_;
    std::size_t in_;
    std::size_t out_;
    std::vector<float> x_, w_, bias_, y_, pre_, dx_, dw_;
};

double peak_of(int threads) {
    static double peaks[3] = {};
    double& peak = peaks[std::clamp(threads, 1, 2)];
    if (peak == 0) { peak = measured_fma_peak(threads); }
    return peak;
}

/// Arguments: token rows, in, out, threads.
void multiply(benchmark::State& state, Product product) {
    const auto rows = static_cast<std::size_t>(state.range(0));
    const auto in = static_cast<std::size_t>(state.range(1));
    const auto out = static_cast<std::size_t>(state.range(2));
    CpuContext cpu{static_cast<int>(state.range(3))};
    const double peak = peak_of(cpu.threads());
    Layer layer{rows, in, out};
    if (!layer.is_right(cpu)) { return state.SkipWithError("wrong product"); }
    const auto gemm = layer.gemm(product);

    using Clock = std::chrono::steady_clock;
    double best = std::numeric_limits<double>::infinity();
    for (auto _ : state) {
        const auto start = Clock::now();
        run(cpu, gemm);
        const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
        best = std::min(best, seconds);
        state.SetIterationTime(seconds);
    }

    const Cost work = cost(gemm);
    using benchmark::Counter;
    state.counters["FLOP/s"] = Counter(work.model_flops, Counter::kIsIterationInvariantRate, Counter::kIs1000);
    // Of the fastest iteration, since the peak is the fastest trial too: the share then holds beside other work.
    state.counters["best_percent_of_peak"] = 100 * work.model_flops / best / peak;
    state.counters["B/s"] =
        Counter(work.bytes_read + work.bytes_written, Counter::kIsIterationInvariantRate, Counter::kIs1024);
}

/// The layers of models 64 to 768 wide with token rows as in a micro-batch, then blocks of a fused cross entropy.
void layer_shapes(benchmark::internal::Benchmark* bench) {
    bench->ArgNames({"rows", "in", "out", "threads"})->UseManualTime()->MinTime(0.05);
    const std::vector<std::pair<long, long>> layers{{64, 192},   {64, 64},    {64, 256},   {256, 64},   {64, 512},
                                                    {128, 384},  {128, 512},  {512, 128},  {256, 768},  {256, 1024},
                                                    {1024, 256}, {512, 1536}, {512, 2048}, {2048, 512}, {768, 3072}};
    for (const long threads : {1, 2}) {
        for (const auto& [in, out] : layers) { bench->Args({1024, in, out, threads}); }
        for (const long in : {64, 128, 256, 512}) { bench->Args({128, in, 8192, threads}); }
    }
}

BENCHMARK_CAPTURE(multiply, forward, Product::forward)->Apply(layer_shapes);
BENCHMARK_CAPTURE(multiply, forward_gelu, Product::forward_gelu)->Apply(layer_shapes);
BENCHMARK_CAPTURE(multiply, input_gradient, Product::input_gradient)->Apply(layer_shapes);
BENCHMARK_CAPTURE(multiply, input_gradient_gated, Product::input_gradient_gated)->Apply(layer_shapes);
BENCHMARK_CAPTURE(multiply, weight_gradient, Product::weight_gradient)->Apply(layer_shapes);

}  // namespace
}  // namespace loglog
