#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "engine/autograd/tape.hpp"
#include "engine/base/random.hpp"
#include "engine/ops/linear.hpp"
#include "tests/support/check_gradient.hpp"

namespace loglog::testing {

/// Leaf tensors in double with gradients, owned by the test.
class Leaves {
  public:
    explicit Leaves(std::uint64_t seed) : seed_{seed} {}

    /// mean + scale * normal, seeded by the test and the leaf's number.
    Tensor add(const Shape& shape, double scale = 1, double mean = 0) {
        auto& leaf = leaves_.emplace_back();
        const Random random{Seed{seed_}, Stream::init, leaves_.size()};
        leaf.values.resize(static_cast<std::size_t>(shape.elements()));
        leaf.gradients.resize(leaf.values.size());
        for (std::size_t i = 0; i < leaf.values.size(); ++i) { leaf.values[i] = mean + scale * random.normal(i); }
        return tensor(leaves_.size() - 1, shape);
    }
    void forget_gradients() {
        for (auto& leaf : leaves_) { leaf.slot.written = false; }
    }
    std::size_t size() const { return leaves_.size(); }
    std::span<double> values(std::size_t i) { return leaves_[i].values; }
    std::span<const double> gradients(std::size_t i) const { return leaves_[i].gradients; }

  private:
    struct Leaf {
        std::vector<double> values;
        std::vector<double> gradients;
        Gradient slot;
    };

    Tensor tensor(std::size_t index, const Shape& shape) {
        auto& leaf = leaves_[index];
        leaf.slot = {reinterpret_cast<std::byte*>(leaf.gradients.data()), false};
        return {reinterpret_cast<std::byte*>(leaf.values.data()), shape, DType::float64, &leaf.slot};
    }

    std::uint64_t seed_;
    std::deque<Leaf> leaves_;
};

/// sum_i weight_i * y_i with fixed random weights: turns any op's result into a scalar with a dense gradient.
inline Tensor weighted_sum(Tape& tape, const Tensor& y, const Tensor& weights) {
    Tensor row = y;
    row.shape = Shape{1, y.shape.elements()};
    Tensor flat = weights;
    flat.shape = Shape{1, y.shape.elements()};
    return linear(tape, row, flat);
}

/// Whether an objective is asked for its gradients too.
enum class Ask : std::uint8_t { value, gradients };

/// Compares the gradients that `objective` leaves behind in every leaf with central differences of its value. The tape
/// records in both cases, since evaluation skips dropout.
template <class Judge>
void check_leaves(Leaves& leaves, const std::function<double(Tape&, Ask)>& objective, const Judge& judge,
                  GradientTolerance tolerance = {}) {
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
    leaves.forget_gradients();
    objective(tape, Ask::gradients);
    std::vector<std::vector<double>> analytic;
    for (std::size_t i = 0; i < leaves.size(); ++i) {
        analytic.emplace_back(leaves.gradients(i).begin(), leaves.gradients(i).end());
    }
    for (std::size_t i = 0; i < leaves.size(); ++i) {
        const auto value = [&] {
            tape.reset();
            return objective(tape, Ask::value);
        };
        judge(i, check_gradient(value, leaves.values(i), analytic[i], tolerance));
    }
}

/// The same for an op that returns one tensor: its objective is a sum with fixed random weights.
template <class Judge>
void check_op(Leaves& leaves, const std::function<Tensor(Tape&)>& op, const Judge& judge,
              GradientTolerance tolerance = {}) {
    std::vector<double> weights;
    const auto objective = [&](Tape& tape, Ask ask) {
        const Tensor y = op(tape);
        const Random random{Seed{99}, Stream::init, 7};
        weights.resize(y.elements());
        for (std::size_t i = 0; i < weights.size(); ++i) { weights[i] = random.normal(i); }
        const Tensor weight{reinterpret_cast<std::byte*>(weights.data()), y.shape, DType::float64, nullptr};
        const Tensor loss = weighted_sum(tape, y, weight);
        const double value = loss.values<double>()[0];
        if (ask == Ask::gradients) { tape.backward(loss); }
        return value;
    };
    check_leaves(leaves, objective, judge, tolerance);
}

}  // namespace loglog::testing
