#include "engine/nn/decay_parameters.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

namespace loglog {
namespace {

constexpr double lowest_rate = 1;

Parameters drawn(const std::string& name, std::int64_t heads, Seed seed = Seed{7}, const TensorShard& shard = {}) {
    std::vector<ParameterSpec> specs;
    const ParameterizationRule rule{{}, 64, 2, 16};
    const DecayParameters declared{specs, name, heads, lowest_rate, rule};
    Parameters parameters{std::move(specs), Purpose::inference, DType::float64, Backing::memory, shard};
    parameters.initialize(seed);
    return parameters;
}

std::vector<double> values_of(Parameters& parameters, const std::string& name) {
    const auto values = parameters.values<double>(parameters.find(name));
    return {values.begin(), values.end()};
}

TEST(DecayParameters, StartInTheirRanges) {
    auto parameters = drawn("a", 4096);
    const auto rates = values_of(parameters, "a.decay.rate");
    const auto offsets = values_of(parameters, "a.decay.offset");

    double mean_rate = 0;
    double mean_log_step = 0;
    for (std::size_t head = 0; head < rates.size(); ++head) {
        const double rate = std::exp(rates[head]);
        const double step = std::log1p(std::exp(offsets[head]));
        ASSERT_GE(rate, lowest_rate * (1 - 1e-12)) << head;
        ASSERT_LE(rate, 16) << head;
        ASSERT_GE(step, 1e-3 * (1 - 1e-12)) << head;
        ASSERT_LE(step, 1e-1 * (1 + 1e-12)) << head;
        mean_rate += rate / 4096;
        mean_log_step += std::log(step) / 4096;
    }

    // Uniform numbers: four standard errors of the mean, (high - low) / sqrt(12 n).
    EXPECT_NEAR(mean_rate, (lowest_rate + 16) / 2, 4 * 15 / std::sqrt(12.0 * 4096));
    EXPECT_NEAR(mean_log_step, std::log(1e-2), 4 * std::log(100.0) / std::sqrt(12.0 * 4096));
}

TEST(DecayParameters, DependOnSeedNameAndHeadAlone) {
    auto few = drawn("a", 8);
    auto many = drawn("a", 32);
    auto other_seed = drawn("a", 8, Seed{8});
    auto other_name = drawn("b", 8);

    for (const std::string part : {".decay.rate", ".decay.offset"}) {
        const auto values = values_of(few, "a" + part);
        auto first = values_of(many, "a" + part);
        first.resize(8);
        EXPECT_EQ(values, first) << part;
        EXPECT_NE(values, values_of(other_seed, "a" + part));
        EXPECT_NE(values, values_of(other_name, "b" + part));
    }
    EXPECT_NE(values_of(few, "a.decay.rate"), values_of(few, "a.decay.offset"));
}

TEST(DecayParameters, OfARankAreThoseOfItsHeads) {
    auto whole = drawn("a", 8);
    auto second_half = drawn("a", 8, Seed{7}, {.leaves = 4, .first_leaf = 2, .leaf_count = 2});

    for (const std::string name : {"a.decay.rate", "a.decay.offset"}) {
        const auto values = values_of(whole, name);
        EXPECT_THAT(values_of(second_half, name), ::testing::ElementsAreArray(values.begin() + 4, values.end()));
    }
}

}  // namespace
}  // namespace loglog
