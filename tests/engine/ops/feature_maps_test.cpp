#include "engine/ops/feature_maps.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "tests/support/op_case.hpp"
#include "tests/support/vocab_case.hpp"

namespace loglog::testing {
namespace {

void expect_agreement(std::size_t leaf, const GradientReport& report) {
    EXPECT_TRUE(report.agrees) << "leaf " << leaf << " " << report.worst;
}

template <class T>
std::vector<T> values_of(const Tensor& x) {
    return {x.values<T>().begin(), x.values<T>().end()};
}

Tensor owned_directions(std::vector<double>& values, std::int64_t features, std::int64_t dim, Seed seed = Seed{1},
                        std::uint32_t layer = 0) {
    values.resize(static_cast<std::size_t>(features * dim));
    const Tensor directions{reinterpret_cast<std::byte*>(values.data()), Shape{features, dim}, DType::float64, nullptr};
    performer_directions(directions, seed, layer);
    return directions;
}

/// Plain normalised causal attention over features: o_i = sum_{j <= i} (phi_i . phi_j) v_j / max(n_i, floor).
std::vector<double> attend(const std::vector<double>& q, const std::vector<double>& k, const std::vector<double>& v,
                           std::size_t time, double floor) {
    const std::size_t dim = q.size() / time, value_dim = v.size() / time;
    std::vector<double> out(v.size());
    for (std::size_t i = 0; i < time; ++i) {
        double normalizer = 0;
        for (std::size_t j = 0; j <= i; ++j) {
            double score = 0;
            for (std::size_t c = 0; c < dim; ++c) { score += q[i * dim + c] * k[j * dim + c]; }
            normalizer += score;
            for (std::size_t c = 0; c < value_dim; ++c) { out[i * value_dim + c] += score * v[j * value_dim + c]; }
        }
        for (std::size_t c = 0; c < value_dim; ++c) { out[i * value_dim + c] /= std::max(normalizer, floor); }
    }
    return out;
}

class Performer : public ::testing::Test {
  protected:
    std::vector<double> features(std::vector<double>& x, std::int64_t dim, const Tensor& directions,
                                 PerformerSide side) {
        const auto rows = static_cast<std::int64_t>(x.size()) / dim;
        const Tensor input{reinterpret_cast<std::byte*>(x.data()), Shape{rows, dim}, DType::float64, nullptr};
        return values_of<double>(performer_features(tape_, {input, 0, 1}, directions, side));
    }

    Context context_{CpuContext{1}};
    Arena arena_;
    Tape tape_{context_, arena_, Mode::evaluate};
};

TEST_F(Performer, DirectionsAreOrthogonalInBlocksWithTheLengthsOfGaussianVectors) {
    constexpr std::size_t dim = 16, count = 1000;
    std::vector<double> w;
    owned_directions(w, count, dim);
    const auto dot = [&](std::size_t a, std::size_t b) {
        double sum = 0;
        for (std::size_t i = 0; i < dim; ++i) { sum += w[a * dim + i] * w[b * dim + i]; }
        return sum;
    };

    double mean = 0;
    for (std::size_t row = 0; row < count; ++row) {
        mean += dot(row, row) / count;
        for (std::size_t other = row / dim * dim; other < row; ++other) {
            EXPECT_LE(std::abs(dot(row, other)), 4 * dim * 0x1p-53 * std::sqrt(dot(row, row) * dot(other, other)));
        }
    }
    // Squared lengths have mean dim and variance 2 dim: five standard deviations of their mean.
    EXPECT_NEAR(mean, dim, 5 * std::sqrt(2.0 * dim / count));
    EXPECT_GT(std::abs(dot(0, 0) - dot(1, 1)), 1e-3);
}

TEST_F(Performer, DirectionsDependOnSeedAndLayerAlone) {
    std::vector<double> one, again, seed, layer;
    owned_directions(one, 8, 4);
    owned_directions(again, 8, 4);
    owned_directions(seed, 8, 4, Seed{2});
    owned_directions(layer, 8, 4, Seed{1}, 1);
    std::vector<float> rounded(32);
    performer_directions({reinterpret_cast<std::byte*>(rounded.data()), Shape{8, 4}, DType::float32, nullptr}, Seed{1},
                         0);

    EXPECT_EQ(again, one);
    EXPECT_NE(seed, one);
    EXPECT_NE(layer, one);
    for (std::size_t i = 0; i < 32; ++i) { EXPECT_EQ(rounded[i], static_cast<float>(one[i])); }
}

// A product of two features has variance e^(2 q.k) (e^|q+k|^2 - 1) with independent Gaussian directions, and orthogonal
// ones do no worse (Choromanski et al. 2021, lemma 2 and theorem 2). The floor adds at most twice its size times a
// mean of exponentials, whose expectation is 1 and which stays below 2 here.
TEST_F(Performer, ProductsOfFeaturesEstimateTheExponentialKernel) {
    constexpr std::int64_t dim = 8, rows = 6;
    auto x = normal_values<double>(rows * dim, 3, 0.7);
    double squares[2] = {0, 0};
    for (const std::int64_t features_count : {256, 16384}) {
        std::vector<double> w;
        const auto phi = features(x, dim, owned_directions(w, features_count, dim), PerformerSide::keys);
        for (std::int64_t i = 0; i < rows; ++i) {
            for (std::int64_t j = 0; j < rows; ++j) {
                double estimate = 0, product = 0, together = 0;
                for (std::int64_t r = 0; r < features_count; ++r) {
                    estimate += phi[static_cast<std::size_t>(i * features_count + r)] *
                                phi[static_cast<std::size_t>(j * features_count + r)];
                }
                for (std::int64_t c = 0; c < dim; ++c) {
                    const double a = x[static_cast<std::size_t>(i * dim + c)],
                                 b = x[static_cast<std::size_t>(j * dim + c)];
                    product += a * b / std::sqrt(static_cast<double>(dim));
                    together += (a + b) * (a + b) / std::sqrt(static_cast<double>(dim));
                }
                const double variance = std::exp(2 * product) * std::expm1(together);
                const double deviation = std::sqrt(variance / static_cast<double>(features_count));
                EXPECT_NEAR(estimate, std::exp(product), 5 * deviation + 4 * 1e-4) << i << " " << j;
                const double error = estimate - std::exp(product);
                squares[features_count == 256 ? 0 : 1] += error * error;
            }
        }
    }
    // 64 times the features: an eighth of the error, or a quarter with chance allowed for.
    EXPECT_LT(std::sqrt(squares[1]), std::sqrt(squares[0]) / 4);
}

TEST_F(Performer, QueriesFeaturesAreKeysOverTheirLargestExponential) {
    constexpr std::int64_t dim = 4, count = 12;
    auto x = normal_values<double>(5 * dim, 3);
    std::vector<double> w;
    const Tensor directions = owned_directions(w, count, dim);
    const auto exponentials = [&](PerformerSide side) {
        auto phi = features(x, dim, directions, side);
        for (double& value : phi) { value = value * std::sqrt(12.0) - 1e-4; }
        return phi;
    };

    const auto queries = exponentials(PerformerSide::queries), keys = exponentials(PerformerSide::keys);

    for (std::size_t row = 0; row < 5; ++row) {
        const double largest = *std::max_element(keys.begin() + static_cast<std::ptrdiff_t>(row * count),
                                                 keys.begin() + static_cast<std::ptrdiff_t>((row + 1) * count));
        for (std::size_t i = row * count; i < (row + 1) * count; ++i) {
            // Exponents of size 10 or so, good to a unit: 1e-15 relative, beside the floor that was taken off.
            EXPECT_NEAR(queries[i], keys[i] / largest, 1e-13);
        }
    }
}

TEST_F(Performer, LaterKeysDoNotChangeEarlierOutputs) {
    constexpr std::int64_t dim = 4;
    constexpr std::size_t time = 7;
    auto q = normal_values<double>(time * dim, 1), k = normal_values<double>(time * dim, 2);
    const auto v = normal_values<double>(time * 3, 3);
    std::vector<double> w;
    const Tensor directions = owned_directions(w, 16, dim);
    const auto queries = features(q, dim, directions, PerformerSide::queries);
    const auto before = attend(queries, features(k, dim, directions, PerformerSide::keys), v, time, 1e-6);

    for (std::size_t i = 5 * dim; i < time * dim; ++i) { k[i] *= 3; }
    const auto after = attend(queries, features(k, dim, directions, PerformerSide::keys), v, time, 1e-6);

    for (std::size_t i = 0; i < 5 * 3; ++i) { EXPECT_EQ(after[i], before[i]); }
    EXPECT_NE(after[5 * 3], before[5 * 3]);
}

TEST_F(Performer, KeysOfLargeExponentsAreLimited) {
    // x' = 9 along a direction of length 9: an exponent of 81 - 40.5.
    std::vector<double> w{9, 0, 0, 1}, x{9 * std::sqrt(std::sqrt(2.0)), 0};
    const Tensor directions{reinterpret_cast<std::byte*>(w.data()), Shape{2, 2}, DType::float64, nullptr};

    const auto phi = features(x, 2, directions, PerformerSide::keys);

    EXPECT_NEAR(phi[0], std::exp(30) / std::sqrt(2.0), 8 * 0x1p-52 * std::exp(30));
    EXPECT_NEAR(phi[1], (std::exp(-40.5) + 1e-4) / std::sqrt(2.0), 1e-18);
}

TEST(PerformerGradient, MatchesCentralDifferencesOnBothSides) {
    for (const auto side : {PerformerSide::queries, PerformerSide::keys}) {
        Leaves leaves{5};
        const Tensor x = leaves.add(Shape{4, 9});
        std::vector<double> w;
        const Tensor directions = owned_directions(w, 6, 4);

        check_op(
            leaves,
            [&](Tape& tape) {
                return performer_features(tape, {x, 1, 2}, directions, side);
            },
            expect_agreement);
    }
}

TEST(PerformerGradient, IsZeroWhereAKeysExponentIsLimited) {
    Leaves leaves{6};
    const Tensor x = leaves.add(Shape{1, 2}, 0, 9 * std::sqrt(std::sqrt(2.0)));
    std::vector<double> w{9, 9};
    const Tensor directions{reinterpret_cast<std::byte*>(w.data()), Shape{1, 2}, DType::float64, nullptr};

    check_op(
        leaves,
        [&](Tape& tape) {
            return performer_features(tape, {x, 0, 1}, directions, PerformerSide::keys);
        },
        [&](std::size_t, const GradientReport&) {
            for (const double gradient : leaves.gradients(0)) { EXPECT_EQ(gradient, 0); }
        });
}

/// The worked example's inputs, one head.
struct WorkedExample {
    std::vector<double> q, k, v, c;

    WorkedExample() {
        for (int t = 0; t < 8; ++t) {
            for (int i = 0; i < 4; ++i) {
                q.push_back(std::sin(1 + 0.9 * t + 1.7 * i));
                k.push_back(std::cos(0.5 + 1.1 * t - 0.6 * i));
            }
            for (int j = 0; j < 3; ++j) {
                v.push_back(std::sin(0.3 + 0.4 * t + 2.3 * j));
                c.push_back(std::cos(0.2 + 0.7 * t + 1.9 * j));
            }
        }
    }
};

template <class T>
std::vector<double> cosformer(const std::vector<double>& x, const CosformerOptions& options, int threads = 1) {
    std::vector<T> values(x.begin(), x.end());
    const auto rows = static_cast<std::int64_t>(x.size()) / options.head_dim;
    Context context{CpuContext{threads}};
    Arena arena;
    Tape tape{context, arena, Mode::evaluate};
    const Tensor input{reinterpret_cast<std::byte*>(values.data()), Shape{rows, options.head_dim}, dtype_of<T>,
                       nullptr};
    const Tensor phi = cosformer_features(tape, {input, 0, 1}, options);
    return {phi.values<T>().begin(), phi.values<T>().end()};
}

TEST(Cosformer, ReproducesTheWorkedExample) {
    const WorkedExample x;
    const CosformerOptions options{.time = 8, .head_dim = 4, .longest = 16};

    const auto loss = [&]<class T>(T) {
        const auto out = attend(cosformer<T>(x.q, options), cosformer<T>(x.k, options), x.v, 8, 1e-6);
        double sum = 0;
        for (std::size_t i = 0; i < out.size(); ++i) { sum += x.c[i] * out[i]; }
        return sum;
    };

    EXPECT_NEAR(loss(double{}), -4.020449178486, 1e-10);
    // A normalised weight is a ratio of sums of positive terms, so it is good to twice what features are: a rounding of
    // the input, of the angle's function and of their product, in both factors. 24 outputs, each of weights 1.
    EXPECT_NEAR(loss(float{}), -4.020449178486, 24 * 2 * 2 * 3 * 0x1p-24);
}

TEST(Cosformer, GradientMatchesCentralDifferences) {
    Leaves leaves{7};
    const Tensor x = leaves.add(Shape{6, 11});
    const std::vector<std::int32_t> document_start{0, 0, 2, 0, 1, 1};

    check_op(
        leaves,
        [&](Tape& tape) {
            return cosformer_features(
                tape, {x, 1, 2},
                {.time = 3, .head_dim = 5, .longest = 9, .first_position = 4, .document_start = document_start});
        },
        expect_agreement);
}

TEST(Cosformer, CountsPlacesFromADocumentsStart) {
    const auto x = normal_values<double>(8 * 4, 9);
    const std::vector<std::int32_t> document_start{0, 0, 0, 3, 3, 3, 3, 3};
    const CosformerOptions whole{.time = 8, .head_dim = 4, .longest = 16, .document_start = document_start};

    const auto packed = cosformer<double>(x, whole);

    const auto alone = cosformer<double>({x.begin() + 12, x.end()}, {.time = 5, .head_dim = 4, .longest = 16});
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), packed.begin() + 3 * 8));
}

TEST(Cosformer, ContinuesFromAPositionWhenDecoding) {
    const auto x = normal_values<double>(8 * 4, 9);
    const auto whole = cosformer<double>(x, {.time = 8, .head_dim = 4, .longest = 16});

    for (std::int64_t t = 0; t < 8; ++t) {
        const auto one = cosformer<double>({x.begin() + t * 4, x.begin() + (t + 1) * 4},
                                           {.time = 1, .head_dim = 4, .longest = 16, .first_position = t});
        EXPECT_TRUE(std::equal(one.begin(), one.end(), whole.begin() + t * 8));
    }
}

TEST(FeatureMaps, AreBitwiseEqualForAnyNumberOfThreads) {
    const auto x = normal_values<float>(1000 * 32, 3);
    std::vector<double> w;
    owned_directions(w, 64, 16);
    const auto run = [&](int threads) {
        OwnedTensor<float> input{Shape{1000, 32}, x};
        OwnedTensor<float> directions{Shape{64, 16}, std::vector<float>(w.begin(), w.end())};
        Context context{CpuContext{threads}};
        Arena arena;
        Tape tape{context, arena, Mode::train};
        const Tensor keys = performer_features(tape, {input.tensor(), 0, 2}, directions.tensor(), PerformerSide::keys);
        const Tensor phi = cosformer_features(tape, {keys, 0, 2}, {.time = 1000, .head_dim = 64, .longest = 1000});
        std::ranges::fill(tape.gradient_of<float>(phi).values, 1.0f);
        tape.backward();
        auto all = values_of<float>(phi);
        all.insert(all.end(), input.gradient.begin(), input.gradient.end());
        return all;
    };

    const auto one = run(1);

    EXPECT_TRUE(same_bits(run(2), one));
    EXPECT_TRUE(same_bits(run(3), one));
}

TEST(FeatureMaps, RefuseWhatDoesNotFit) {
    Context context{CpuContext{1}};
    Arena arena;
    Tape tape{context, arena, Mode::train};
    const Tensor x = tape.empty(Shape{8, 6}, DType::float64);
    const Tensor wide = tape.empty(Shape{5, 4}, DType::float64);

    EXPECT_THROW(performer_features(tape, {x, 0, 2}, wide, PerformerSide::keys), ShapeError);
    EXPECT_THROW(cosformer_features(tape, {x, 0, 2}, {.time = 3, .head_dim = 3, .longest = 9}), ShapeError);
    EXPECT_THROW(cosformer_features(tape, {x, 0, 3}, {.time = 8, .head_dim = 3, .longest = 9}), ShapeError);
    try {
        cosformer_features(tape, {x, 0, 2}, {.time = 8, .head_dim = 3, .longest = 9, .first_position = 2});
        FAIL();
    } catch (const InputError& error) {
        EXPECT_STREQ(
            error.what(),
            "cosformer_features: 'longest' is 9 but tokens have places up to 9 (angles past a right angle give "
            "negative features)");
    }
}

TEST(FeatureMaps, AreCountedWithoutTouchingMemory) {
    Context context{CountingContext{}};
    Arena arena{Backing::address_space};
    Tape tape{context, arena, Mode::train};
    const Tensor x = tape.empty(Shape{1 << 14, 256}, DType::float32);
    const Tensor directions = tape.saved(Shape{128, 64}, DType::float32);
    const std::span<const std::int32_t> starts{reinterpret_cast<const std::int32_t*>(x.data), 1 << 14};

    const Tensor keys = performer_features(tape, {x, 0, 4}, directions, PerformerSide::keys);
    cosformer_features(tape, {keys, 0, 4},
                       {.time = 1 << 14, .head_dim = 128, .longest = 1 << 14, .document_start = starts});
    tape.backward();

    // The projections, and backwards the gradient through them.
    EXPECT_EQ(std::get<CountingContext>(context).total().model_flops, 2 * 2.0 * (1 << 14) * 4 * 128 * 64);
}

}  // namespace
}  // namespace loglog::testing
