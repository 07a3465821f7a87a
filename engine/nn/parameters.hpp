#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/random.hpp"
#include "engine/kernels/context.hpp"
#include "engine/nn/cut.hpp"
#include "engine/nn/parameterization.hpp"
#include "engine/tensor/storage.hpp"
#include "engine/tensor/tensor.hpp"

namespace loglog {

/// Place of a parameter in its model's list.
enum class ParameterId : std::size_t {};

/// One trained tensor: what it is called, what it starts as, how the optimizer treats it.
struct ParameterSpec {
    std::string name;  ///< global, such as "blocks.3.attention.qkv.weight"
    Shape shape;       ///< global
    ParameterClass kind = ParameterClass::hidden_matrix;
    double init_mean = 0;
    double init_std = 0;  ///< values start as init_mean + init_std * normal
    OptimizerMultipliers multipliers = {};
    Cut cut = {};
    bool present = true;    ///< whether any of it lies on this rank
    bool two_uses = false;  ///< read at both ends of the model (a tied head): each use collects its gradient apart
};

/// What a set of parameters is for: `inference` keeps values only.
enum class Purpose : std::uint8_t { training, inference };

/// A model's trained values with their gradients and AdamW moments, in model order. Each of the four lies in one
/// block; a parameter starts at a multiple of 64 bytes in it. Moments and gradients exist only for training.
class Parameters {
  public:
    Parameters(std::vector<ParameterSpec> specs, Purpose purpose, DType dtype = DType::float32,
               Backing backing = Backing::memory);

    std::size_t size() const noexcept { return specs_.size(); }
    DType dtype() const noexcept { return dtype_; }
    Purpose purpose() const noexcept { return purpose_; }
    const ParameterSpec& spec(ParameterId id) const { return specs_[static_cast<std::size_t>(id)]; }
    std::span<const ParameterSpec> specs() const noexcept { return specs_; }
    /// Throws InputError naming the parameter if there is none of this name.
    ParameterId find(std::string_view name) const;
    /// Number of trained values.
    std::int64_t count() const noexcept;

    /// The values, with the place of their gradient when training.
    Tensor tensor(ParameterId id) noexcept;
    /// The same values as read by the second use of a parameter with `two_uses`: collects a gradient of its own.
    Tensor second_use(ParameterId id) noexcept;

    template <class T>
    std::span<T> values(ParameterId id) noexcept {
        return part<T>(values_, id);
    }
    template <class T>
    std::span<T> gradient(ParameterId id) noexcept {
        return part<T>(gradients_, id);
    }
    template <class T>
    std::span<T> first_moment(ParameterId id) noexcept {
        return part<T>(first_moments_, id);
    }
    template <class T>
    std::span<T> second_moment(ParameterId id) noexcept {
        return part<T>(second_moments_, id);
    }
    /// All gradients in one block, padding between parameters (zero) included: for collectives.
    template <class T>
    std::span<T> all_gradients() noexcept {
        return {reinterpret_cast<T*>(gradients_.data()), gradients_.bytes() / sizeof(T)};
    }
    template <class T>
    std::span<T> all_values() noexcept {
        return {reinterpret_cast<T*>(values_.data()), values_.bytes() / sizeof(T)};
    }

    /// Initial values: element i of a parameter depends on the seed, the parameter's name and i alone. Moments become
    /// 0.
    void initialize(Seed seed);

    /// Before the first micro-batch of a step: the next contribution to each gradient overwrites it.
    void begin_step() noexcept;
    /// After the last micro-batch: adds the gradients of second uses, and zeroes those that nothing contributed to.
    void finish_step(Context& context);

    std::size_t value_bytes() const noexcept { return values_.bytes(); }
    std::size_t gradient_bytes() const noexcept { return gradients_.bytes() + second_gradients_.bytes(); }
    std::size_t moment_bytes() const noexcept { return first_moments_.bytes() + second_moments_.bytes(); }

  private:
    template <class T>
    std::span<T> part(const Storage& storage, ParameterId id) const noexcept {
        if (storage.data() == nullptr) { return {}; }
        const auto index = static_cast<std::size_t>(id);
        return {reinterpret_cast<T*>(storage.data() + offsets_[index]),
                static_cast<std::size_t>(specs_[index].shape.elements())};
    }

    std::vector<ParameterSpec> specs_;
    std::vector<std::size_t> offsets_;         // bytes
    std::vector<std::size_t> second_offsets_;  // bytes into second_gradients_
    std::vector<Gradient> slots_;
    std::vector<Gradient> second_slots_;
    Storage values_;
    Storage gradients_;
    Storage second_gradients_;
    Storage first_moments_;
    Storage second_moments_;
    DType dtype_;
    Purpose purpose_;
    Backing backing_;
};

}  // namespace loglog
