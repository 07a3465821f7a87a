#include "engine/nn/rotary_table.hpp"

#include <cmath>

namespace loglog {

RotaryTable::RotaryTable(std::int64_t context, std::int64_t head_dim, double base, DType dtype, Backing backing) {
    const Shape shape{context, head_dim / 2};
    const auto values = static_cast<std::size_t>(shape.elements());
    storage_ = Storage{backing, 2 * values * size_of(dtype)};
    cosine_ = {storage_.data(), shape, dtype, nullptr};
    sine_ = {storage_.data() + values * size_of(dtype), shape, dtype, nullptr};
    if (backing != Backing::memory) { return; }
    with_dtype(dtype, [&]<class T>(T) {
        for (std::size_t i = 0; i < values; ++i) {
            const auto channels = head_dim / 2;
            const auto position = static_cast<std::int64_t>(i) / channels;
            const auto channel = static_cast<std::int64_t>(i) % channels;
            const double frequency =
                std::pow(base, -2.0 * static_cast<double>(channel) / static_cast<double>(head_dim));
            const double angle = static_cast<double>(position) * frequency;
            cosine_.values<T>()[i] = static_cast<T>(std::cos(angle));
            sine_.values<T>()[i] = static_cast<T>(std::sin(angle));
        }
    });
}

}  // namespace loglog
