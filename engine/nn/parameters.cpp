#include "engine/nn/parameters.hpp"

#include <algorithm>
#include <cmath>

#include "engine/base/error.hpp"
#include "engine/kernels/elementwise.hpp"

namespace loglog {
namespace {

constexpr std::size_t alignment = 64;

std::size_t aligned_bytes(const Shape& shape, DType dtype) {
    const auto bytes = static_cast<std::size_t>(shape.elements()) * size_of(dtype);
    return (bytes + alignment - 1) / alignment * alignment;
}

Shape without_rows(const Shape& shape) {
    return shape.rank() == 1 ? Shape{0} : Shape{0, shape.elements() / std::max<std::int64_t>(shape[0], 1)};
}

double initial_value(const ParameterSpec& spec, const Random& random, std::uint64_t place) {
    constexpr double least = 1e-4;
    switch (spec.initial) {
        case InitialValues::log_of_uniform:
            return std::log(std::max(spec.init_low + (spec.init_high - spec.init_low) * random.uniform(place), least));
        case InitialValues::softplus_of_log_scale: {
            const double low = std::log(spec.init_low);
            const double step =
                std::max(std::exp(low + (std::log(spec.init_high) - low) * random.uniform(place)), least);
            return step + std::log(-std::expm1(-step));  // softplus of this is `step`
        }
        case InitialValues::normal:
            break;
    }
    return spec.init_mean + (spec.init_std == 0 ? 0.0 : spec.init_std * random.normal(place));
}

template <class T>
void initialize_segment(const ParameterSpec& spec, const Segment& segment, const Random& random, std::span<T> values) {
    const auto global_columns = spec.shape.elements() / spec.shape[0];
    for (std::int64_t row = 0; row < segment.rows; ++row) {
        const auto first = (segment.global_row + row) * global_columns + segment.global_column;
        T* target = values.data() + (segment.local_row + row) * segment.columns;
        for (std::int64_t column = 0; column < segment.columns; ++column) {
            const auto place = static_cast<std::uint64_t>(first + column);
            target[column] = static_cast<T>(initial_value(spec, random, place));
        }
    }
}

}  // namespace

Parameters::Parameters(std::vector<ParameterSpec> specs, Purpose purpose, DType dtype, Backing backing,
                       const TensorShard& shard, Moments moments)
    : specs_{std::move(specs)}, shard_{shard}, dtype_{dtype}, purpose_{purpose}, backing_{backing} {
    std::size_t bytes = 0;
    std::size_t second_bytes = 0;
    std::size_t slots = 0;
    for (std::size_t index = 0; index < specs_.size(); ++index) {
        const auto& spec = specs_[index];
        shapes_.push_back(spec.present ? loglog::local_shape(spec.shape, spec.cut, shard) : without_rows(spec.shape));
        segments_.push_back(spec.present ? loglog::segments(spec.shape, spec.cut, shard) : std::vector<Segment>{});
        if (spec.two_uses && !spec.first_use_here) {
            for (auto& segment : segments_.back()) { segment.owned = false; }
        }
        offsets_.push_back(bytes);
        second_offsets_.push_back(second_bytes);
        first_slots_.push_back(slots);
        bytes += aligned_bytes(shapes_.back(), dtype);
        if (has_second_gradient(spec)) { second_bytes += aligned_bytes(shapes_.back(), dtype); }
        slots += static_cast<std::size_t>(slots_of(index));
    }
    values_ = Storage{backing, bytes};
    if (purpose == Purpose::inference) { return; }
    gradients_ = Storage{backing, bytes};
    second_gradients_ = Storage{backing, second_bytes};
    if (moments == Moments::here) {
        first_moments_ = Storage{backing, bytes};
        second_moments_ = Storage{backing, bytes};
    }
    slots_.resize(slots);
    second_slots_.resize(specs_.size());
    begin_step();
}

std::int64_t Parameters::slots_of(std::size_t index) const noexcept {
    return specs_[index].by_leaf && shard_.is_cut() ? shard_.leaf_count : 1;
}

ParameterId Parameters::find(std::string_view name) const {
    const auto found = std::find_if(specs_.begin(), specs_.end(), [&](const auto& spec) { return spec.name == name; });
    if (found == specs_.end()) { throw InputError{"the model has no parameter '" + std::string{name} + "'"}; }
    return static_cast<ParameterId>(found - specs_.begin());
}

std::int64_t Parameters::count() const noexcept {
    std::int64_t total = 0;
    for (const auto& spec : specs_) { total += spec.shape.elements(); }
    return total;
}

Tensor Parameters::rows_with_slot(std::size_t index, std::int64_t leaf, std::int64_t leaves) noexcept {
    const auto& shape = shapes_[index];
    Tensor result{nullptr, shape, dtype_, nullptr};
    if (leaves > 1) {
        result.shape = shape.rank() == 1 ? Shape{shape[0] / leaves} : Shape{shape[0] / leaves, shape[1]};
    }
    result.data = values_.data() + offsets_[index] + static_cast<std::size_t>(leaf) * result.bytes();
    if (!slots_.empty()) { result.gradient = &slots_[first_slots_[index] + static_cast<std::size_t>(leaf)]; }
    return result;
}

Tensor Parameters::tensor(ParameterId id) noexcept {
    const auto index = static_cast<std::size_t>(id);
    LOGLOG_ASSERT(specs_[index].present && slots_of(index) == 1);
    return rows_with_slot(index, 0, 1);
}

Tensor Parameters::leaf(ParameterId id, std::int64_t leaf) noexcept {
    const auto index = static_cast<std::size_t>(id);
    LOGLOG_ASSERT(specs_[index].present && leaf < slots_of(index));
    return rows_with_slot(index, leaf, slots_of(index));
}

Tensor Parameters::second_use(ParameterId id) noexcept {
    auto result = tensor(id);
    if (result.gradient != nullptr) { result.gradient = &second_slots_[static_cast<std::size_t>(id)]; }
    return result;
}

void Parameters::initialize(Seed seed) {
    if (backing_ != Backing::memory) { return; }
    with_dtype(dtype_, [&]<class T>(T) {
        for (std::size_t index = 0; index < specs_.size(); ++index) {
            const auto& spec = specs_[index];
            const auto id = static_cast<ParameterId>(index);
            const Random random{seed, Stream::init, name_hash(spec.name)};
            for (const auto& segment : segments_[index]) { initialize_segment(spec, segment, random, values<T>(id)); }
            std::ranges::fill(first_moment<T>(id), T{0});
            std::ranges::fill(second_moment<T>(id), T{0});
        }
    });
}

void Parameters::begin_step() noexcept {
    if (slots_.empty()) { return; }
    for (std::size_t index = 0; index < specs_.size(); ++index) {
        const auto leaves = static_cast<std::size_t>(slots_of(index));
        const auto bytes = elements(static_cast<ParameterId>(index)) / leaves * size_of(dtype_);
        for (std::size_t leaf = 0; leaf < leaves; ++leaf) {
            slots_[first_slots_[index] + leaf] = {gradients_.data() + offsets_[index] + leaf * bytes, false};
        }
        if (has_second_gradient(specs_[index])) {
            second_slots_[index] = {second_gradients_.data() + second_offsets_[index], false};
        }
    }
}

void Parameters::complete_gradients(Context& context) {
    if (slots_.empty()) { return; }
    with_dtype(dtype_, [&]<class T>(T) {
        const auto complete = [&](Gradient& slot, std::size_t values) {
            if (!slot.written) { launch(context, Fill<T>{{reinterpret_cast<T*>(slot.data), values}, T{0}}); }
            slot.written = true;
        };
        for (std::size_t index = 0; index < specs_.size(); ++index) {
            if (!specs_[index].present) { continue; }
            const auto values = elements(static_cast<ParameterId>(index));
            const auto leaves = static_cast<std::size_t>(slots_of(index));
            for (std::size_t leaf = 0; leaf < leaves; ++leaf) {
                complete(slots_[first_slots_[index] + leaf], values / leaves);
            }
            if (has_second_gradient(specs_[index])) { complete(second_slots_[index], values); }
        }
    });
}

void Parameters::add_second_uses(Context& context) {
    with_dtype(dtype_, [&]<class T>(T) {
        for (std::size_t index = 0; index < specs_.size(); ++index) {
            const auto id = static_cast<ParameterId>(index);
            const std::span<const T> second = second_gradient<T>(id);
            if (!second.empty()) { launch(context, Scale<T>{second, gradient<T>(id), T{1}, true}); }
        }
    });
}

void Parameters::finish_step(Context& context) {
    complete_gradients(context);
    add_second_uses(context);
}

}  // namespace loglog
