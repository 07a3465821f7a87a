#include <algorithm>

#include "engine/kernels/gemm.hpp"
#include "engine/kernels/gemm_plan.hpp"

namespace loglog {
namespace detail {

GemmPlan plan_gemm(std::size_t m, std::size_t n, std::size_t k, std::size_t tile_rows, std::size_t tile_columns,
                   bool b_has_rows_of_k) {
    const auto pieces = [](std::size_t count, std::size_t size) { return (count + size - 1) / size; };
    constexpr std::size_t columns_in_cache = 256;  // with gemm_depth rows of b: 256 KiB of floats, half a small L2
    constexpr std::size_t balanced_blocks = 16;    // enough to share out evenly
    constexpr std::size_t worthwhile_products = 1u << 17;  // multiply-adds of a block, some microseconds

    GemmPlan plan;
    plan.depth = gemm_depth;
    plan.columns = pieces(std::min(n, columns_in_cache), tile_columns) * tile_columns;
    plan.column_blocks = pieces(n, plan.columns);
    const std::size_t rows_in_cache = 8 * tile_rows;
    const std::size_t wanted = std::min(balanced_blocks, std::max<std::size_t>(1, m * n * k / worthwhile_products));
    plan.row_blocks = std::max(pieces(m, rows_in_cache), pieces(wanted, plan.column_blocks));
    plan.row_blocks = std::min(plan.row_blocks, pieces(m, std::max<std::size_t>(1, tile_rows / 2)));
    plan.pack_b = b_has_rows_of_k || m > 2 * tile_rows;
    return plan;
}

}  // namespace detail

namespace {

double flops_per_element(Activation activation, bool derivative) {
    switch (activation) {
        case Activation::none:
            return 0;
        case Activation::relu:
            return 1;
        case Activation::gelu:
            return derivative ? 33 : 26;
        case Activation::gelu_erf:
            return derivative ? 47 : 25;
    }
    return 0;
}

}  // namespace

template <class T>
Cost cost(const Gemm<T>& gemm) {
    const auto m = static_cast<double>(gemm.m());
    const auto n = static_cast<double>(gemm.n());
    const auto k = static_cast<double>(gemm.k());
    const bool accumulates = gemm.accumulate == Accumulate::yes;
    double per_element = (gemm.alpha != T{1}) + accumulates + (gemm.bias != nullptr);
    per_element += flops_per_element(gemm.activation, false);
    if (gemm.gate) { per_element += 1 + flops_per_element(gemm.gate_activation, true); }
    if (gemm.residual) { per_element += 2; }
    const double reads_per_element = double(accumulates) + bool(gemm.gate) + bool(gemm.residual);

    Cost result;
    result.model_flops = 2 * m * n * k;
    result.hardware_flops = result.model_flops + m * n * per_element;
    result.bytes_read = sizeof(T) * (m * k + k * n + m * n * reads_per_element + (gemm.bias != nullptr ? n : 0));
    result.bytes_written = sizeof(T) * m * n * (1 + double(bool(gemm.pre_activation)));
    return result;
}

template Cost cost(const Gemm<float>&);
template Cost cost(const Gemm<double>&);

}  // namespace loglog
