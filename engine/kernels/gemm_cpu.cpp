#include <algorithm>

#include "engine/kernels/gemm.hpp"
#include "engine/kernels/gemm_plan.hpp"

namespace loglog {
namespace detail {

GemmPlan plan_gemm(const GemmTraits& gemm, TileShape tile) {
    const auto [form, m, n, k, copies_a] = gemm;
    const auto pieces = [](std::size_t count, std::size_t size) { return (count + size - 1) / size; };
    constexpr std::size_t small_b = 65'536;               // elements that any second-level cache holds beside the rest
    constexpr std::size_t columns_in_cache = 128;         // with gemm_depth rows of b: 256 KiB of floats
    constexpr std::size_t rows_per_partial = 512;         // bounds the memory for partial sums
    constexpr std::size_t worthwhile_products = 1 << 18;  // multiply-adds of a piece: several microseconds
    constexpr std::size_t rows_that_repay_packing = 256;
    constexpr std::size_t rows_that_repay_reading = 64;  // of b from beyond the second-level cache

    const bool is_small = k * n <= small_b;
    GemmPlan plan;
    if (form == GemmForm::nt) {
        plan.source_of_b = is_small ? SourceOfB::shared_panels : SourceOfB::own_panels;
    } else {
        plan.source_of_b = is_small || m < rows_that_repay_packing ? SourceOfB::in_place : SourceOfB::own_panels;
    }
    const bool packs_its_own = plan.source_of_b == SourceOfB::own_panels;
    const std::size_t fewest_rows = is_small        ? 3 * tile.rows / 4
                                    : packs_its_own ? rows_that_repay_packing
                                                    : rows_that_repay_reading;
    const std::size_t wanted = std::clamp<std::size_t>(m * n * k / worthwhile_products, 1, packs_its_own ? 8 : 16);
    const auto cut = [&](std::size_t columns) {
        plan.columns = pieces(std::min(n, columns), tile.columns) * tile.columns;
        plan.column_blocks = pieces(n, plan.columns);
        plan.row_blocks = std::min(pieces(wanted, plan.column_blocks), std::max<std::size_t>(1, m / fewest_rows));
        if (k > gemm_depth) { plan.row_blocks = std::max(plan.row_blocks, pieces(m, rows_per_partial)); }
        return plan.row_blocks * plan.column_blocks;
    };
    // Wide pieces where rows of a are read from afar or copied for each, but at least a few pieces to share out.
    const bool is_wide = is_small || copies_a || form == GemmForm::tn;
    if (is_wide && cut(2 * columns_in_cache) < std::min<std::size_t>(wanted, 4)) { cut(columns_in_cache); }
    if (!is_wide) { cut(columns_in_cache); }
    if (plan.row_blocks * plan.column_blocks == 1 && wanted > 1) { cut(pieces(n, 2)); }
    plan.rows_first = m > n;
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
