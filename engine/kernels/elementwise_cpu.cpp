#include "engine/kernels/elementwise.hpp"

#include "engine/kernels/chunk_sums.hpp"
#include "engine/kernels/dropout_numbers.hpp"
#include "engine/kernels/pieces.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/kernels/elementwise_cpu.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "engine/kernels/vector_rows-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace loglog::HWY_NAMESPACE {

template <class T>
void scale_elements(const Scale<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const auto alpha = hn::Set(d, k.alpha);
    for (std::size_t i = begin; i < end; i += hn::Lanes(d)) {
        const std::size_t count = end - i;
        const auto x = load_first(d, k.x.data() + i, count);
        T* y = k.y.data() + i;
        store_first(k.accumulate ? hn::MulAdd(alpha, x, load_first(d, y, count)) : hn::Mul(alpha, x), d, y, count);
    }
}

template <class T>
void chain_sum_elements(const ChainSum<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    for (std::size_t i = begin; i < end; i += hn::Lanes(d)) {
        const std::size_t count = end - i;
        auto sum = load_first(d, k.x.data() + i, count);
        for (const T* part : k.parts) { sum = hn::Add(load_first(d, part + i, count), sum); }
        store_first(sum, d, k.y.data() + i, count);
    }
}

template <class T>
void fill_elements(const Fill<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const auto value = hn::Set(d, k.value);
    for (std::size_t i = begin; i < end; i += hn::Lanes(d)) { store_first(value, d, k.y.data() + i, end - i); }
}

// Without a random number: y = residual + scale * x.
template <class T>
void add_scaled_elements(const Dropout<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<T> d;
    const auto scale = hn::Set(d, k.scale);
    for (std::size_t i = begin; i < end; i += hn::Lanes(d)) {
        const std::size_t count = end - i;
        const auto base = k.residual.empty() ? hn::Zero(d) : load_first(d, k.residual.data() + i, count);
        store_first(hn::MulAdd(scale, load_first(d, k.x.data() + i, count), base), d, k.y.data() + i, count);
    }
}

template <class T>
void column_sum_chunks(const ColumnSum<T>& k, T* partial, std::size_t begin, std::size_t end) {
    const std::size_t columns = k.out.size();
    T* sums = partial + begin / rows_per_chunk * columns;
    for (std::size_t c = 0; c < columns; ++c) { sums[c] = 0; }
    for (std::size_t row = begin; row < end; ++row) { add_row(k.x.data() + row * columns, sums, columns); }
}

template <class D, class T>
hn::Vec<D> load_in_double(D d, const T* x) {
    if constexpr (sizeof(T) == sizeof(double)) {
        return hn::LoadU(d, x);
    } else {
        return hn::PromoteTo(d, hn::LoadU(hn::Rebind<T, D>{}, x));
    }
}

// Writes one sum per piece from `result` on.
template <class T>
void square_chunks(const SumOfSquares<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<double> d;
    const T* x = k.x.data();
    auto sum = hn::Zero(d);
    std::size_t i = begin;
    for (; i + hn::Lanes(d) <= end; i += hn::Lanes(d)) {
        const auto value = load_in_double(d, x + i);
        sum = hn::MulAdd(value, value, sum);
    }
    double total = lane_sum(d, sum);
    for (; i < end; ++i) { total += static_cast<double>(x[i]) * static_cast<double>(x[i]); }
    k.result[begin / elements_per_piece] = total;
}

// Four sums at once, since one addition waits for the one before it.
template <class T>
void square_tiles(const TileSquares<T>& k, std::size_t begin, std::size_t end) {
    const hn::ScalableTag<double> d;
    const std::size_t lanes = hn::Lanes(d);
    for (std::size_t index = begin; index < end; ++index) {
        const auto& tile = k.tiles[index];
        auto sum0 = hn::Zero(d), sum1 = sum0, sum2 = sum0, sum3 = sum0;
        double rest = 0;
        for (std::size_t row = 0; row < tile.rows; ++row) {
            const T* x = tile.x + row * tile.stride;
            std::size_t i = 0;
            for (; i + 4 * lanes <= tile.columns; i += 4 * lanes) {
                const auto value0 = load_in_double(d, x + i);
                const auto value1 = load_in_double(d, x + i + lanes);
                const auto value2 = load_in_double(d, x + i + 2 * lanes);
                const auto value3 = load_in_double(d, x + i + 3 * lanes);
                sum0 = hn::MulAdd(value0, value0, sum0);
                sum1 = hn::MulAdd(value1, value1, sum1);
                sum2 = hn::MulAdd(value2, value2, sum2);
                sum3 = hn::MulAdd(value3, value3, sum3);
            }
            for (; i + lanes <= tile.columns; i += lanes) {
                const auto value = load_in_double(d, x + i);
                sum0 = hn::MulAdd(value, value, sum0);
            }
            for (; i < tile.columns; ++i) { rest += static_cast<double>(x[i]) * static_cast<double>(x[i]); }
        }
        k.sums[tile.place] = lane_sum(d, hn::Add(hn::Add(sum0, sum1), hn::Add(sum2, sum3))) + rest;
    }
}

Pieces<Scale> scale() { return {scale_elements<float>, scale_elements<double>}; }
Pieces<ChainSum> chain_sum() { return {chain_sum_elements<float>, chain_sum_elements<double>}; }
Pieces<Fill> fill() { return {fill_elements<float>, fill_elements<double>}; }
Pieces<Dropout> add_scaled() { return {add_scaled_elements<float>, add_scaled_elements<double>}; }
ChunkPieces<ColumnSum> column_sum() { return {column_sum_chunks<float>, column_sum_chunks<double>}; }
Pieces<SumOfSquares> squares() { return {square_chunks<float>, square_chunks<double>}; }
Pieces<TileSquares> tile_squares() { return {square_tiles<float>, square_tiles<double>}; }

}  // namespace loglog::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace loglog {

HWY_EXPORT(scale);
HWY_EXPORT(chain_sum);
HWY_EXPORT(fill);
HWY_EXPORT(add_scaled);
HWY_EXPORT(column_sum);
HWY_EXPORT(squares);
HWY_EXPORT(tile_squares);

namespace {

template <class T>
void drop_row(const Dropout<T>& k, const DropoutNumbers& numbers, std::size_t row) {
    const T kept = static_cast<T>(k.scale / (T{1} - static_cast<T>(k.probability)));
    const std::size_t start = row * k.width;
    for (std::size_t column = 0; column < k.width; column += 4) {
        const auto factors = numbers.factors<T>(column / 4, 0, k.first_row + row, kept);
        for (std::size_t i = column; i < k.width && i < column + 4; ++i) {
            const T base = k.residual.empty() ? T{0} : k.residual[start + i];
            k.y[start + i] = base + factors[i - column] * k.x[start + i];
        }
    }
}

}  // namespace

template <class T>
Cost cost(const Scale<T>& k) {
    const double n = static_cast<double>(k.x.size());
    const double added = k.accumulate ? 1 : 0;
    return {.model_flops = 0,
            .hardware_flops = (1 + added) * n,
            .bytes_read = sizeof(T) * (1 + added) * n,
            .bytes_written = sizeof(T) * n};
}

template <class T>
Cost cost(const ChainSum<T>& k) {
    const double n = static_cast<double>(k.x.size());
    const double parts = static_cast<double>(k.parts.size());
    return {.model_flops = 0,
            .hardware_flops = parts * n,
            .bytes_read = sizeof(T) * (1 + parts) * n,
            .bytes_written = sizeof(T) * n};
}

template <class T>
Cost cost(const Fill<T>& k) {
    return {.model_flops = 0,
            .hardware_flops = 0,
            .bytes_read = 0,
            .bytes_written = sizeof(T) * static_cast<double>(k.y.size())};
}

template <class T>
Cost cost(const Dropout<T>& k) {
    const double n = static_cast<double>(k.x.size());
    const double added = k.residual.empty() ? 0 : 1;
    return {.model_flops = 0,
            .hardware_flops = (1 + added) * n,
            .bytes_read = sizeof(T) * (1 + added) * n,
            .bytes_written = sizeof(T) * n};
}

template <class T>
Cost cost(const ColumnSum<T>& k) {
    const double n = static_cast<double>(k.x.size());
    const double columns = static_cast<double>(k.out.size());
    return {.model_flops = 0,
            .hardware_flops = n + 2 * columns,
            .bytes_read = sizeof(T) * (n + (k.accumulate ? columns : 0)),
            .bytes_written = sizeof(T) * columns};
}

template <class T>
Cost cost(const SumOfSquares<T>& k) {
    const double n = static_cast<double>(k.x.size());
    return {.model_flops = 0, .hardware_flops = 2 * n, .bytes_read = sizeof(T) * n, .bytes_written = sizeof(double)};
}

template <class T>
Cost cost(const TileSquares<T>& k) {
    double n = 0;
    for (const auto& tile : k.tiles) { n += static_cast<double>(tile.rows * tile.columns); }
    return {.model_flops = 0,
            .hardware_flops = 2 * n,
            .bytes_read = sizeof(T) * n,
            .bytes_written = sizeof(double) * static_cast<double>(k.tiles.size())};
}

template <class T>
void run(CpuContext& cpu, const Scale<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(scale)();
    cpu.for_each_range(k.x.size(), elements_per_piece,
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const ChainSum<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(chain_sum)();
    cpu.for_each_range(k.x.size(), elements_per_piece,
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const Fill<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(fill)();
    cpu.for_each_range(k.y.size(), elements_per_piece,
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template <class T>
void run(CpuContext& cpu, const Dropout<T>& k) {
    if (k.probability == 0) {
        const auto piece = HWY_DYNAMIC_DISPATCH(add_scaled)();
        cpu.for_each_range(k.x.size(), elements_per_piece,
                           [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
        return;
    }
    const DropoutNumbers numbers{k.probability, k.key, k.step, k.layer, 0};
    cpu.for_each_range(k.width == 0 ? 0 : k.x.size() / k.width, rows_per_piece(k.width),
                       [&](std::size_t begin, std::size_t end) {
                           for (std::size_t row = begin; row < end; ++row) { drop_row(k, numbers, row); }
                       });
}

template <class T>
void run(CpuContext& cpu, const ColumnSum<T>& k) {
    const std::size_t columns = k.out.size();
    const std::size_t rows = columns == 0 ? 0 : k.x.size() / columns;
    T* partial = cpu.scratch_of<T>(chunks_of(rows) * columns);
    const auto piece = HWY_DYNAMIC_DISPATCH(column_sum)();
    cpu.for_each_range(rows, rows_per_chunk,
                       [&](std::size_t begin, std::size_t end) { piece(k, partial, begin, end); });
    run(cpu, ChunkSums<T>{partial, chunks_of(rows), columns, columns, k.out.data(), k.alpha, k.accumulate});
}

template <class T>
void run(CpuContext& cpu, const SumOfSquares<T>& k) {
    const std::size_t chunks = (k.x.size() + elements_per_piece - 1) / elements_per_piece;
    double* partial = cpu.scratch_of<double>(chunks);
    const auto piece = HWY_DYNAMIC_DISPATCH(squares)();
    const SumOfSquares<T> work{k.x, partial};
    cpu.for_each_range(k.x.size(), elements_per_piece,
                       [&](std::size_t begin, std::size_t end) { piece(work, begin, end); });
    double sum = 0;
    for (std::size_t i = 0; i < chunks; ++i) { sum += partial[i]; }
    *k.result = sum;
}

template <class T>
void run(CpuContext& cpu, const TileSquares<T>& k) {
    const auto piece = HWY_DYNAMIC_DISPATCH(tile_squares)();
    constexpr std::size_t tiles_per_piece = 4;
    cpu.for_each_range(k.tiles.size(), tiles_per_piece,
                       [&](std::size_t begin, std::size_t end) { piece(k, begin, end); });
}

template Cost cost(const Scale<float>&);
template Cost cost(const Scale<double>&);
template Cost cost(const ChainSum<float>&);
template Cost cost(const ChainSum<double>&);
template Cost cost(const Fill<float>&);
template Cost cost(const Fill<double>&);
template Cost cost(const Dropout<float>&);
template Cost cost(const Dropout<double>&);
template Cost cost(const ColumnSum<float>&);
template Cost cost(const ColumnSum<double>&);
template Cost cost(const SumOfSquares<float>&);
template Cost cost(const SumOfSquares<double>&);
template Cost cost(const TileSquares<float>&);
template Cost cost(const TileSquares<double>&);
template void run(CpuContext&, const Scale<float>&);
template void run(CpuContext&, const Scale<double>&);
template void run(CpuContext&, const ChainSum<float>&);
template void run(CpuContext&, const ChainSum<double>&);
template void run(CpuContext&, const Fill<float>&);
template void run(CpuContext&, const Fill<double>&);
template void run(CpuContext&, const Dropout<float>&);
template void run(CpuContext&, const Dropout<double>&);
template void run(CpuContext&, const ColumnSum<float>&);
template void run(CpuContext&, const ColumnSum<double>&);
template void run(CpuContext&, const SumOfSquares<float>&);
template void run(CpuContext&, const SumOfSquares<double>&);
template void run(CpuContext&, const TileSquares<float>&);
template void run(CpuContext&, const TileSquares<double>&);

}  // namespace loglog
#endif
