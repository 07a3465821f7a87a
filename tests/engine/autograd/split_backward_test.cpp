#include <gtest/gtest.h>

#include <deque>
#include <memory>

#include "engine/nn/rotary_table.hpp"
#include "engine/ops/attention.hpp"
#include "engine/ops/dropout.hpp"
#include "engine/ops/layer_norm.hpp"
#include "engine/ops/rms_norm.hpp"
#include "engine/ops/rotary.hpp"
#include "tests/support/allocation_count.hpp"
#include "tests/support/linear_case.hpp"

namespace loglog::testing {
namespace {

constexpr std::int64_t time_steps = 8;
constexpr std::int64_t rows = 2 * time_steps;
constexpr std::int64_t width = 16;
constexpr std::int64_t head_dim = 4;

/// A transformer block with every op whose backward pass reuses a buffer: gradients handed over to residuals, turned in
/// place by rotary, written through a fused activation, added to by dropout.
class Chain {
  public:
    Chain() {
        const auto add = [&](const Shape& shape) {
            const auto seed = 10 + parameters_.size();
            parameters_.emplace_back(shape, normal_values<float>(shape.elements(), seed, 0.3));
        };
        for (int norm = 0; norm < 2; ++norm) {
            add(Shape{width});
            add(Shape{width});
        }
        add(Shape{3 * width, width});
        add(Shape{3 * width});
        add(Shape{width, width});
        add(Shape{width});
        add(Shape{4 * width, width});
        add(Shape{4 * width});
        add(Shape{width, 4 * width});
        add(Shape{width});
        add(Shape{width, width});
        add(Shape{head_dim});
    }

    /// y of micro-batch `index`, whose gradient is already there.
    void forward(Tape& tape, std::uint64_t index) {
        const Tensor x = tape.empty(Shape{rows, width}, DType::float32);
        std::ranges::copy(normal_values<float>(rows * width, 100 + index), x.values<float>().begin());
        // x W and the block share x, so the gradient of x has several contributions.
        const Tensor stream = linear(tape, x, parameter(12), {.residual = x, .residual_scale = 0.5});
        const Tensor middle = attend(tape, stream, index);
        const Tensor normed = layer_norm(tape, middle, parameter(2), parameter(3), 1e-5);
        const auto hidden = linear_activated(tape, normed, parameter(8), parameter(9), Activation::gelu);
        const Tensor out = linear(tape, hidden, parameter(10), {.bias = parameter(11), .residual = middle});
        const Tensor activated = activate(tape, out, Activation::gelu);
        // The first weight again: two contributions of one micro-batch to one parameter.
        const Tensor y = linear(tape, activated, parameter(12), {.residual = middle});
        std::ranges::copy(normal_values<float>(rows * width, 200 + index), tape.gradient_of<float>(y).values.begin());
    }

    void begin_step() {
        for (auto& parameter : parameters_) { parameter.slot.written = false; }
    }
    std::vector<std::vector<float>> gradients() const {
        std::vector<std::vector<float>> result;
        for (const auto& parameter : parameters_) { result.push_back(parameter.gradient); }
        return result;
    }

  private:
    Tensor parameter(std::size_t index) { return parameters_[index].tensor(); }

    Tensor attend(Tape& tape, const Tensor& stream, std::uint64_t index) {
        const Tensor normed = layer_norm(tape, stream, parameter(0), parameter(1), 1e-5);
        const Tensor fused = linear(tape, normed, parameter(4), {.bias = parameter(5)});
        const Tensor heads = tape.empty(Shape{rows, 2 * width}, DType::float32);
        tape.retire_in_backward(heads);
        const std::int64_t count = width / head_dim;
        const Heads both{heads, 0, 2 * count};
        head_norm(tape, {fused, 0, 2 * count}, parameter(13), 1e-5, both);
        rotary(tape, both, rotary_table_.cosine(), rotary_table_.sine(), time_steps, 0);
        const Tensor mixed = attention(tape, {heads, 0, count}, {heads, width, count}, {fused, 2 * width, count},
                                       {.time = time_steps, .head_dim = head_dim, .scale = 0.5, .dropout = {}});
        const Tensor joined = linear(tape, mixed, parameter(6), {.bias = parameter(7)});
        return dropout(tape, joined, stream,
                       {.probability = 0.2, .seed = Seed{4}, .step = index, .place = 1, .first_row = 0, .scale = 0.7});
    }

    RotaryTable rotary_table_{time_steps, head_dim, 10'000, DType::float32, Backing::memory};
    std::deque<OwnedTensor<float>> parameters_;
};

/// A tape and its arena, as a stage keeps for each micro-batch in flight.
struct InFlight {
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
};

constexpr std::uint64_t micro_batches = 4;

std::vector<std::vector<float>> gradients_of_whole_passes(Chain& chain) {
    InFlight one;
    chain.begin_step();
    for (std::uint64_t index = 0; index < micro_batches; ++index) {
        one.tape.reset();
        chain.forward(one.tape, index);
        one.tape.backward();
    }
    return chain.gradients();
}

void expect_same(const std::vector<std::vector<float>>& actual, const std::vector<std::vector<float>>& expected) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_TRUE(same_bits(actual[i], expected[i])) << "parameter " << i;
    }
}

class DelayedWeights : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(DelayedWeights, GiveTheBitsOfWholeBackwardPasses) {
    const std::uint64_t delay = GetParam();
    Chain chain;
    const auto expected = gradients_of_whole_passes(chain);
    std::vector<std::unique_ptr<InFlight>> flights;
    for (std::uint64_t i = 0; i <= delay; ++i) { flights.push_back(std::make_unique<InFlight>()); }
    const auto flight = [&](std::uint64_t index) -> Tape& { return flights[index % (delay + 1)]->tape; };

    chain.begin_step();
    for (std::uint64_t index = 0; index < micro_batches + delay; ++index) {
        if (index < micro_batches) {
            flight(index).reset();
            chain.forward(flight(index), index);
            flight(index).backward_inputs();
        }
        if (index >= delay) { flight(index - delay).backward_weights(); }
    }

    expect_same(chain.gradients(), expected);
}

INSTANTIATE_TEST_SUITE_P(MicroBatches, DelayedWeights, ::testing::Values(0u, 1u, 3u));

TEST(SplitBackward, LeavesWeightsAloneUntilTheirTurn) {
    Chain chain;
    const auto before = chain.gradients();
    InFlight one;
    chain.forward(one.tape, 0);

    one.tape.backward_inputs();

    const auto after = chain.gradients();
    for (const std::size_t index : {4u, 5u, 6u, 7u, 8u, 9u, 10u, 11u, 12u}) { EXPECT_EQ(after[index], before[index]); }
}

TEST(SplitBackward, ForgetsDelayedWorkOnReset) {
    Chain chain;
    const auto expected = gradients_of_whole_passes(chain);
    InFlight one;
    chain.forward(one.tape, 0);
    one.tape.backward_inputs();
    one.tape.reset();
    one.tape.backward_weights();

    chain.begin_step();
    for (std::uint64_t index = 0; index < micro_batches; ++index) {
        one.tape.reset();
        chain.forward(one.tape, index);
        one.tape.backward();
    }

    expect_same(chain.gradients(), expected);
}

TEST(SplitBackward, AllocatesNothingAfterTheFirstMicroBatch) {
    InFlight one;
    const auto x = normal_values<float>(rows * width, 1);
    OwnedTensor<float> weight{Shape{width, width}, normal_values<float>(width * width, 2)};
    const auto run = [&](Steps steps) {
        one.tape.reset();
        const Tensor input = one.tape.empty(Shape{rows, width}, DType::float32);
        std::ranges::copy(x, input.values<float>().begin());
        const ColumnCut columns{.leaf_count = 4, .rows_per_leaf = {4}, .blocks = 1};
        const Tensor h = linear(one.tape, input, weight.tensor(), {.cut = columns});
        const Tensor y = row_linear(one.tape, h, weight.tensor(), {.leaf_count = 4});
        one.tape.gradient_of<float>(bias_residual(one.tape, y, Tensor{}, input, 1));
        if (steps == Steps::together) {
            one.tape.backward();
        } else {
            one.tape.backward_inputs();
            one.tape.backward_weights();
        }
    };
    for (const Steps steps : {Steps::together, Steps::split}) {
        for (int warm_up = 0; warm_up < 2; ++warm_up) { run(steps); }
        const auto before = allocation_count();

        run(steps);

        EXPECT_EQ(allocation_count(), before);
    }
}

}  // namespace
}  // namespace loglog::testing
