#include <algorithm>

#include "engine/kernels/copy_columns.hpp"

namespace loglog {

template <class T>
Cost cost(const CopyColumns<T>& k) {
    const double bytes = static_cast<double>(k.rows * k.columns * sizeof(T));
    return {.model_flops = 0, .hardware_flops = 0, .bytes_read = bytes, .bytes_written = bytes};
}

template <class T>
void run(CpuContext& cpu, const CopyColumns<T>& k) {
    constexpr std::size_t piece = 64;  // rows
    cpu.for_each_range(k.rows, piece, [&](std::size_t begin, std::size_t end) {
        for (std::size_t row = begin; row < end; ++row) {
            std::copy_n(k.from + row * k.from_stride, k.columns, k.to + row * k.to_stride);
        }
    });
}

template Cost cost(const CopyColumns<float>&);
template Cost cost(const CopyColumns<double>&);
template void run(CpuContext&, const CopyColumns<float>&);
template void run(CpuContext&, const CopyColumns<double>&);

}  // namespace loglog
