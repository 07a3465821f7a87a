#include "engine/nn/parameters.hpp"

#include <algorithm>

#include "engine/base/error.hpp"
#include "engine/kernels/elementwise.hpp"

namespace loglog {
namespace {

constexpr std::size_t alignment = 64;

std::size_t aligned_bytes(const Shape& shape, DType dtype) {
    const auto bytes = static_cast<std::size_t>(shape.elements()) * size_of(dtype);
    return (bytes + alignment - 1) / alignment * alignment;
}

}  // namespace

Parameters::Parameters(std::vector<ParameterSpec> specs, Purpose purpose, DType dtype, Backing backing)
    : specs_{std::move(specs)}, dtype_{dtype}, purpose_{purpose}, backing_{backing} {
    std::size_t bytes = 0;
    std::size_t second_bytes = 0;
    for (const auto& spec : specs_) {
        offsets_.push_back(bytes);
        second_offsets_.push_back(second_bytes);
        bytes += aligned_bytes(spec.shape, dtype);
        if (spec.two_uses) { second_bytes += aligned_bytes(spec.shape, dtype); }
    }
    values_ = Storage{backing, bytes};
    if (purpose == Purpose::inference) { return; }
    gradients_ = Storage{backing, bytes};
    second_gradients_ = Storage{backing, second_bytes};
    first_moments_ = Storage{backing, bytes};
    second_moments_ = Storage{backing, bytes};
    slots_.resize(specs_.size());
    second_slots_.resize(specs_.size());
    begin_step();
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

Tensor Parameters::tensor(ParameterId id) noexcept {
    const auto index = static_cast<std::size_t>(id);
    return {values_.data() + offsets_[index], specs_[index].shape, dtype_, slots_.empty() ? nullptr : &slots_[index]};
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
            const auto target = values<T>(id);
            for (std::size_t i = 0; i < target.size(); ++i) {
                const double noise = spec.init_std == 0 ? 0.0 : spec.init_std * random.normal(i);
                target[i] = static_cast<T>(spec.init_mean + noise);
            }
            std::ranges::fill(first_moment<T>(id), T{0});
            std::ranges::fill(second_moment<T>(id), T{0});
        }
    });
}

void Parameters::begin_step() noexcept {
    for (std::size_t index = 0; index < slots_.size(); ++index) {
        slots_[index] = {gradients_.data() + offsets_[index], false};
        if (specs_[index].two_uses) {
            second_slots_[index] = {second_gradients_.data() + second_offsets_[index], false};
        }
    }
}

void Parameters::finish_step(Context& context) {
    with_dtype(dtype_, [&]<class T>(T) {
        for (std::size_t index = 0; index < slots_.size(); ++index) {
            const auto target = gradient<T>(static_cast<ParameterId>(index));
            // The sum of the two uses is taken once, after all micro-batches, as pipeline stages that hold one use each
            // have to: a + b is then bitwise the same everywhere.
            if (specs_[index].two_uses && second_slots_[index].written) {
                const std::span<const T> second{reinterpret_cast<const T*>(second_slots_[index].data), target.size()};
                launch(context, Scale<T>{second, target, T{1}, slots_[index].written});
            } else if (!slots_[index].written) {
                launch(context, Fill<T>{target, T{0}});
            }
            slots_[index].written = true;
        }
    });
}

}  // namespace loglog
