#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "engine/kernels/attention_moba.hpp"
#include "tests/engine/kernels/attention_case.hpp"
#include "tests/engine/kernels/each_target.hpp"

namespace loglog {
namespace {

/// A worked example in closed form: T = 8, dk = 4, dv = 3, padded to one head size of 4. Expected values come from an
/// independent program with complex-step derivatives in double.
template <class T>
struct WorkedExample {
    AttentionCase<T> c;

    explicit WorkedExample(std::size_t heads) : c{{1, 8, heads, 1, 4}} {
        c.scale = T{0.5};
        for (std::size_t t = 0; t < 8; ++t) {
            const double time = static_cast<double>(t);
            for (std::size_t i = 0; i < 4; ++i) {
                const double index = static_cast<double>(i);
                T* row = c.qkv.data() + t * c.row;
                for (std::size_t h = 0; h < heads; ++h) {
                    const double phase = h == 0 ? 1 : 2;
                    row[h * 4 + i] = static_cast<T>(std::sin(phase + 0.9 * time + 1.7 * index));
                    c.d_out[(t * heads + h) * 4 + i] =
                        static_cast<T>(i < 3 ? std::cos(0.2 + 0.7 * time + 1.9 * index) : 0);
                }
                row[heads * 4 + i] = static_cast<T>(std::cos(0.5 + 1.1 * time - 0.6 * index));
                row[heads * 4 + 4 + i] = static_cast<T>(i < 3 ? std::sin(0.3 + 0.4 * time + 2.3 * index) : 0);
            }
        }
    }
    void run_both() {
        CpuContext cpu;
        run(cpu, c.forward());
        run(cpu, c.backward());
    }
    double loss() const {
        double sum = 0;
        for (std::size_t i = 0; i < c.out.size(); ++i) { sum += static_cast<double>(c.out[i]) * c.d_out[i]; }
        return sum;
    }
    double squares(const std::vector<T>& values, std::size_t stride, std::size_t first) const {
        double sum = 0;
        for (std::size_t t = 0; t < 8; ++t) {
            for (std::size_t i = first; i < first + 4; ++i) {
                sum += static_cast<double>(values[t * stride + i]) * values[t * stride + i];
            }
        }
        return sum;
    }
};

struct Gradients {
    double dq2, dk2, dv2, dq70, dk00, dv00;
};
struct Expected {
    double loss, out2;
    std::array<double, 3> out7;
    std::optional<Gradients> gradients = {};
};

constexpr Expected dense{
    -4.121089893551,
    7.541351030897,
    {0.660194401219, -0.546513570952, 0.068063374040},
    Gradients{0.181067580550, 0.390594009682, 4.706936993770, -0.048676178574, -0.031189314929, 0.889575967638}};
constexpr Expected window{
    -5.963968400356,
    10.695539171602,
    {0.524080926932, -0.943936470647, 0.733763545075},
    Gradients{0.085441202029, 0.085578446831, 10.236386097904, 0.037751360178, -0.088335467745, 1.308977850767}};
constexpr Expected window_and_sink{-4.510051712858, 7.479524975703, {0.462785669433, -0.552545429119, 0.273509870748}};
constexpr Expected strided{-5.069346019425, 8.829404978241, {0.661094231411, -0.795465640046, 0.398905132018}};
constexpr Expected fixed{-5.437817659442, 10.506157213581, {0.715304027639, -0.872139998917, 0.446867909315}};
constexpr Expected moba{
    -5.355250842109,
    9.529007419631,
    {0.663339506379, -0.920070078545, 0.562701756084},
    Gradients{0.161053377070, 0.168611962110, 7.364601018835, -0.008363792860, -0.138476235188, 0.986955421231}};

/// Values are stated to 12 digits. In float, of order one each, the largest is a sum of 24 squares of results that are
/// off by up to about 8 epsilon each: 24 * 2 * 8 * 2^-24 < 3e-5.
template <class T>
constexpr double tolerance = sizeof(T) == sizeof(float) ? 3e-5 : 1e-10;

template <class T>
void expect_results(WorkedExample<T>& e, const Expected& expected) {
    e.run_both();

    EXPECT_NEAR(e.loss(), expected.loss, tolerance<T>);
    EXPECT_NEAR(e.squares(e.c.out, 4, 0), expected.out2, tolerance<T>);
    for (std::size_t i = 0; i < 3; ++i) { EXPECT_NEAR(e.c.out[7 * 4 + i], expected.out7[i], tolerance<T>); }
    if (!expected.gradients) { return; }
    EXPECT_NEAR(e.squares(e.c.d_qkv, 12, 0), expected.gradients->dq2, tolerance<T>);
    EXPECT_NEAR(e.squares(e.c.d_qkv, 12, 4), expected.gradients->dk2, tolerance<T>);
    EXPECT_NEAR(e.squares(e.c.d_qkv, 12, 8), expected.gradients->dv2, tolerance<T>);
    EXPECT_NEAR(e.c.d_qkv[7 * 12], expected.gradients->dq70, tolerance<T>);
    EXPECT_NEAR(e.c.d_qkv[4], expected.gradients->dk00, tolerance<T>);
    EXPECT_NEAR(e.c.d_qkv[8], expected.gradients->dv00, tolerance<T>);
}

template <class T>
void expect_results(const AttentionMask& mask, const Expected& expected) {
    for_each_target([&] {
        WorkedExample<T> e{1};
        e.c.visible.mask = &mask;
        expect_results(e, expected);
    });
}

template <class T>
class AttentionExample : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(AttentionExample, Types);

TYPED_TEST(AttentionExample, OfDenseAttentionIsReproduced) {
    for_each_target([] {
        WorkedExample<TypeParam> e{1};
        expect_results(e, dense);
        EXPECT_NEAR(e.c.lse[0], 0.193575677731, tolerance<TypeParam>);
        EXPECT_NEAR(e.c.lse[7], 2.111414742949, tolerance<TypeParam>);
    });
}

TYPED_TEST(AttentionExample, OfMaskedAttentionIsReproduced) {
    expect_results<TypeParam>(window_mask(8, 3, 0), window);
    expect_results<TypeParam>(window_mask(8, 3, 1), window_and_sink);
    expect_results<TypeParam>(strided_mask(8, 3), strided);
    expect_results<TypeParam>(fixed_mask(8, 4, 1), fixed);
    expect_results<TypeParam>(window_mask(8, 8, 0), dense);
    expect_results<TypeParam>(pattern_mask(8, "block 4\n0\n0 1\n"), dense);
}

TYPED_TEST(AttentionExample, OfChosenBlocksIsReproduced) {
    for_each_target([] {
        WorkedExample<TypeParam> e{1};
        std::vector<std::int32_t> chosen(8 * 2);
        const auto forward = e.c.forward();
        CpuContext cpu;
        run(cpu, AttentionBlockChoice<TypeParam>{forward.sizes, forward.q, forward.k, 2, 2, {}, chosen});
        e.c.visible.selection = {.block = 2, .top_k = 2, .blocks = chosen};

        // The closest two scores that a choice depends on differ by 0.15.
        EXPECT_THAT(chosen, ::testing::ElementsAre(0, -1, 0, -1, 0, 1, 0, 1, 1, 2, 0, 2, 2, 3, 2, 3));
        expect_results(e, moba);
    });
}

TYPED_TEST(AttentionExample, OfAsManyChosenBlocksAsThereAreIsDense) {
    WorkedExample<TypeParam> e{1};
    std::vector<std::int32_t> chosen(8 * 4);
    const auto forward = e.c.forward();
    CpuContext cpu;
    run(cpu, AttentionBlockChoice<TypeParam>{forward.sizes, forward.q, forward.k, 2, 4, {}, chosen});
    e.c.visible.selection = {.block = 2, .top_k = 4, .blocks = chosen};

    expect_results(e, dense);
}

TYPED_TEST(AttentionExample, OfTwoQueryHeadsOnOneKeyHeadIsReproduced) {
    for_each_target([] {
        WorkedExample<TypeParam> e{2};
        e.run_both();

        EXPECT_NEAR(e.loss(), -8.064612559754, tolerance<TypeParam>);
        EXPECT_NEAR(e.squares(e.c.d_qkv, 16, 8), 1.158564802209, tolerance<TypeParam>);
        EXPECT_NEAR(e.c.d_qkv[8], 0.214169096844, tolerance<TypeParam>);
        EXPECT_NEAR(e.squares(e.c.d_qkv, 16, 12), 16.655285306838, tolerance<TypeParam>);
    });
}

}  // namespace
}  // namespace loglog
