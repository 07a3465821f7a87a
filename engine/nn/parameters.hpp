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

/// How initial values are drawn.
enum class InitialValues : std::uint8_t {
    normal,                 ///< init_mean + init_std * normal
    log_of_uniform,         ///< log u with u uniform in [init_low, init_high), at least 1e-4
    softplus_of_log_scale,  ///< x with softplus(x) = exp(u), u uniform in [log init_low, log init_high), at least 1e-4
};

/// One trained tensor: what it is called, what it starts as, how the optimizer treats it.
struct ParameterSpec {
    std::string name;  ///< global, such as "blocks.3.attention.qkv.weight"
    Shape shape;       ///< global
    ParameterClass kind = ParameterClass::hidden_matrix;
    double init_mean = 0;
    double init_std = 0;
    OptimizerMultipliers multipliers = {};
    Cut cut = {};
    bool present = true;         ///< whether any of it lies on this rank
    bool two_uses = false;       ///< read at both ends of the model (a tied head): each use collects its gradient apart
    bool first_use_here = true;  ///< of a parameter with two uses: whether the first end lies on this rank
    bool second_use_here = true;  ///< and the second
    bool by_leaf = false;         ///< of one block: each leaf's rows are read and collect their gradient apart
    InitialValues initial = InitialValues::normal;
    double init_low = 0;
    double init_high = 0;
};

/// What a set of parameters is for: `inference` keeps values only.
enum class Purpose : std::uint8_t { training, inference };

/// Whether AdamW's moments lie next to the values, or somebody else keeps them (each data-parallel rank a share).
enum class Moments : std::uint8_t { here, elsewhere };

/// What one rank holds of a model's trained values with their gradients and AdamW moments, in model order. Each of the
/// four lies in one block; a parameter starts at a multiple of 64 bytes in it. Moments and gradients exist only for
/// training. Ids are the same on every rank; a parameter that is not present has no values.
class Parameters {
  public:
    Parameters(std::vector<ParameterSpec> specs, Purpose purpose, DType dtype = DType::float32,
               Backing backing = Backing::memory, const TensorShard& shard = {}, Moments moments = Moments::here);

    std::size_t size() const noexcept { return specs_.size(); }
    DType dtype() const noexcept { return dtype_; }
    Purpose purpose() const noexcept { return purpose_; }
    const ParameterSpec& spec(ParameterId id) const { return specs_[static_cast<std::size_t>(id)]; }
    std::span<const ParameterSpec> specs() const noexcept { return specs_; }
    const TensorShard& shard() const noexcept { return shard_; }
    /// Of what this rank holds, padding included; the first extent is 0 for a parameter that is not present.
    const Shape& local_shape(ParameterId id) const { return shapes_[static_cast<std::size_t>(id)]; }
    /// Where it lies in the whole parameter; empty for a parameter that is not present. Of a parameter with two uses on
    /// two ranks, the rank of the first owns it.
    std::span<const Segment> segments(ParameterId id) const { return segments_[static_cast<std::size_t>(id)]; }
    /// Throws InputError naming the parameter if there is none of this name.
    ParameterId find(std::string_view name) const;
    /// Number of trained values of the whole model.
    std::int64_t count() const noexcept;

    /// The values, with the place of their gradient when training.
    Tensor tensor(ParameterId id) noexcept;
    /// The same values as read by the second use of a parameter with `two_uses`: collects a gradient of its own.
    Tensor second_use(ParameterId id) noexcept;
    /// The rows of one local leaf of a parameter that is kept `by_leaf`; all of it where nothing is cut.
    Tensor leaf(ParameterId id, std::int64_t leaf) noexcept;

    template <class T>
    std::span<T> values(ParameterId id) noexcept {
        return part<T>(values_, id);
    }
    template <class T>
    std::span<T> gradient(ParameterId id) noexcept {
        return part<T>(gradients_, id);
    }
    /// What the second use collected; empty but for a parameter with two uses whose second is here.
    template <class T>
    std::span<T> second_gradient(ParameterId id) noexcept {
        const auto& spec = specs_[static_cast<std::size_t>(id)];
        if (!has_second_gradient(spec) || second_gradients_.data() == nullptr) { return {}; }
        return {reinterpret_cast<T*>(second_gradients_.data() + second_offsets_[static_cast<std::size_t>(id)]),
                elements(id)};
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
    /// The same for what second uses collected.
    template <class T>
    std::span<T> all_second_gradients() noexcept {
        return {reinterpret_cast<T*>(second_gradients_.data()), second_gradients_.bytes() / sizeof(T)};
    }
    template <class T>
    std::span<T> all_values() noexcept {
        return {reinterpret_cast<T*>(values_.data()), values_.bytes() / sizeof(T)};
    }

    /// Initial values: element i of a parameter (in all of it, row-major) depends on the seed, the parameter's name and
    /// i alone. Padding stays 0, and moments that lie here become 0.
    void initialize(Seed seed);

    /// Before the first micro-batch of a step: the next contribution to each gradient overwrites it.
    void begin_step() noexcept;
    /// After the last micro-batch: zeroes the gradients that nothing contributed to, of first and second uses.
    void complete_gradients(Context& context);
    /// Then: adds what second uses collected to the gradients. Once a step: a + b, each summed over all micro-batches,
    /// is bitwise the same wherever the two uses lie. A rank that has one of them only is left with that use's
    /// gradient; the sum of both is then the exchange's between the two ranks, over gradient(id).
    void add_second_uses(Context& context);
    /// Both.
    void finish_step(Context& context);

    std::size_t value_bytes() const noexcept { return values_.bytes(); }
    std::size_t gradient_bytes() const noexcept { return gradients_.bytes() + second_gradients_.bytes(); }
    std::size_t moment_bytes() const noexcept { return first_moments_.bytes() + second_moments_.bytes(); }

  private:
    static bool has_second_gradient(const ParameterSpec& spec) noexcept {
        return spec.present && spec.two_uses && spec.second_use_here;
    }
    std::size_t elements(ParameterId id) const noexcept {
        return static_cast<std::size_t>(shapes_[static_cast<std::size_t>(id)].elements());
    }
    template <class T>
    std::span<T> part(const Storage& storage, ParameterId id) const noexcept {
        if (storage.data() == nullptr) { return {}; }
        return {reinterpret_cast<T*>(storage.data() + offsets_[static_cast<std::size_t>(id)]), elements(id)};
    }
    std::int64_t slots_of(std::size_t index) const noexcept;
    Tensor rows_with_slot(std::size_t index, std::int64_t leaf, std::int64_t leaves) noexcept;

    std::vector<ParameterSpec> specs_;
    TensorShard shard_;
    std::vector<Shape> shapes_;  // local
    std::vector<std::vector<Segment>> segments_;
    std::vector<std::size_t> offsets_;         // bytes
    std::vector<std::size_t> second_offsets_;  // bytes into second_gradients_
    std::vector<std::size_t> first_slots_;     // into slots_: one per parameter, or per local leaf
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
