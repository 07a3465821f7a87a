#include "engine/kernels/chunk_sums.hpp"

#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/chunk_sums_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

template <class T>
void chunk_sums_columns(const ChunkSums<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const auto alpha = hn::Set(d, k.alpha);
    for (std::size_t c = begin; c < end; c += hn::Lanes(d)) {
        const std::size_t count = end - c;
        auto sum = hn::Zero(d);
        for (std::size_t i = 0; i < k.chunks; ++i) {
            sum = hn::Add(sum, load_first(d, k.partial + i * k.stride + c, count));
        }
        sum = hn::Mul(sum, alpha);
        if (k.accumulate) { sum = hn::Add(sum, load_first(d, k.out + c, count)); }
        store_first(sum, d, k.out + c, count);
    }
}

Pieces<ChunkSums> chunk_sums() { return {chunk_sums_columns<float>, chunk_sums_columns<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(chunk_sums);

template <class T>
void run(CpuContext& cpu, const ChunkSums<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(chunk_sums)();
    constexpr std::size_t columns_per_piece = 128;
    cpu.for_each_range(k.width, columns_per_piece, [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template void run(CpuContext&, const ChunkSums<float>&);
template void run(CpuContext&, const ChunkSums<double>&);

}  // namespace loglog
#endif
