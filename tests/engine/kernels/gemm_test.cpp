#include "engine/kernels/gemm.hpp"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/random.hpp"

namespace loglog {
namespace {

/// A matrix in a larger buffer filled with a known value, so that writes outside it show.
template <class T>
class Strided {
  public:
    static constexpr T outside = T(-77.5);

    Strided(std::size_t rows, std::size_t columns, std::size_t extra, std::uint64_t group)
        : rows_{rows}, columns_{columns}, stride_{columns + extra}, values_(rows * stride_ + 64, outside) {
        const Random random{Seed{20}, Stream::synthetic_data, group};
        for (std::size_t r = 0; r < rows; ++r) {
            for (std::size_t c = 0; c < columns; ++c) { at(r, c) = static_cast<T>(random.normal(r * columns + c)); }
        }
    }

    T& at(std::size_t r, std::size_t c) { return values_[r * stride_ + c]; }
    const T& at(std::size_t r, std::size_t c) const { return values_[r * stride_ + c]; }
    MatrixView<const T> view() const { return {values_.data(), rows_, columns_, stride_}; }
    MatrixView<T> view() { return {values_.data(), rows_, columns_, stride_}; }
    const std::vector<T>& values() const { return values_; }

    bool is_untouched_outside() const {
        for (std::size_t i = 0; i < values_.size(); ++i) {
            const bool inside = i / stride_ < rows_ && i % stride_ < columns_;
            if (!inside && values_[i] != outside) { return false; }
        }
        return true;
    }

  private:
    std::size_t rows_;
    std::size_t columns_;
    std::size_t stride_;
    std::vector<T> values_;
};

struct Parts {
    Accumulate accumulate = Accumulate::no;
    double alpha = 1;
    bool bias = false;
    bool pre_activation = false;
    Activation activation = Activation::none;
    bool gate = false;
    Activation gate_activation = Activation::none;
    bool residual = false;
    bool residual_is_c = false;
};

using FirstAndCount = std::pair<std::size_t, std::size_t>;

struct Shape3 {
    std::size_t m;
    std::size_t n;
    std::size_t k;
};

template <class T>
struct Case {
    Case(GemmForm form_, Shape3 s, Parts parts_, std::size_t extra)
        : form{form_},
          shape{s},
          parts{parts_},
          a{form_ == GemmForm::tn ? Strided<T>{s.k, s.m, extra, 1} : Strided<T>{s.m, s.k, extra, 1}},
          b{form_ == GemmForm::nt ? Strided<T>{s.n, s.k, extra, 2} : Strided<T>{s.k, s.n, extra, 2}},
          c{s.m, s.n, extra, 3},
          before{c},
          pre{s.m, s.n, extra, 4},
          gate{s.m, s.n, extra, 5},
          residual{s.m, s.n, extra, 6},
          bias{1, s.n, 0, 7} {}

    Gemm<T> gemm() {
        Gemm<T> g{form, std::as_const(a).view(), std::as_const(b).view(), c.view()};
        g.alpha = static_cast<T>(parts.alpha);
        g.accumulate = parts.accumulate;
        if (parts.bias) { g.bias = bias.values().data(); }
        if (parts.pre_activation) { g.pre_activation = pre.view(); }
        g.activation = parts.activation;
        if (parts.gate) { g.gate = std::as_const(gate).view(); }
        g.gate_activation = parts.gate_activation;
        if (parts.residual) {
            g.residual = parts.residual_is_c ? std::as_const(c).view() : std::as_const(residual).view();
            g.residual_scale = T(0.75);
        }
        return g;
    }

    double a_at(std::size_t i, std::size_t p) const { return form == GemmForm::tn ? a.at(p, i) : a.at(i, p); }
    double b_at(std::size_t p, std::size_t j) const { return form == GemmForm::nt ? b.at(j, p) : b.at(p, j); }

    GemmForm form;
    Shape3 shape;
    Parts parts;
    Strided<T> a, b, c, before, pre, gate, residual, bias;
};

double activation_value(Activation activation, double x) {
    switch (activation) {
        case Activation::none:
            return x;
        case Activation::gelu:
            return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
        case Activation::gelu_erf:
            return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
        case Activation::relu:
            return x > 0 ? x : 0;
    }
    return x;
}

double activation_derivative(Activation activation, double x) {
    switch (activation) {
        case Activation::none:
            return 1;
        case Activation::gelu: {
            const double c = std::sqrt(2 / M_PI);
            const double t = std::tanh(c * (x + 0.044715 * x * x * x));
            return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * c * (1 + 3 * 0.044715 * x * x);
        }
        case Activation::gelu_erf:
            return 0.5 * (1 + std::erf(x / std::sqrt(2.0))) + x * std::exp(-x * x / 2) / std::sqrt(2 * M_PI);
        case Activation::relu:
            return x > 0 ? 1 : 0;
    }
    return 1;
}

/// Compares with sums in double. A sum of k fused multiply-adds is off by at most k eps sum |a||b|, each later step
/// adds a rounding, no activation is steeper than 1.13, and the vector functions are good to 16 eps of their argument's
/// size.
template <class T>
void expect_matches_reference(const Case<T>& test, const std::string& label) {
    const double eps = std::numeric_limits<T>::epsilon();
    const auto [m, n, k] = test.shape;
    const Parts& parts = test.parts;
    double worst = 0;
    std::string where;
    const auto note = [&](double difference, double allowed, const char* what, std::size_t i, std::size_t j) {
        const double ratio = difference / allowed;
        if (!(ratio <= worst)) {
            worst = ratio;
            where = std::string{what} + "[" + std::to_string(i) + ", " + std::to_string(j) + "]";
        }
    };
    for (std::size_t i = 0; i < m; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
            double sum = 0;
            double size = 0;
            for (std::size_t p = 0; p < k; ++p) {
                const double product = test.a_at(i, p) * test.b_at(p, j);
                sum += product;
                size += std::abs(product);
            }
            double v = parts.alpha * sum;
            double error = (static_cast<double>(k) + 8) * eps * std::abs(parts.alpha) * size;
            const auto add = [&](double term) {
                v += term;
                error += 2 * eps * (std::abs(term) + std::abs(v));
            };
            if (parts.accumulate == Accumulate::yes) { add(test.before.at(i, j)); }
            if (parts.bias) { add(test.bias.at(0, j)); }
            if (parts.pre_activation) { note(std::abs(test.pre.at(i, j) - v), error + eps, "pre_activation", i, j); }
            if (parts.activation != Activation::none) {
                error = 1.13 * error + 16 * eps * (1 + std::abs(v));
                v = activation_value(parts.activation, v);
            }
            if (parts.gate) {
                error = 1.13 * error + 32 * eps * std::abs(v) + eps * std::abs(v);
                v *= activation_derivative(parts.gate_activation, test.gate.at(i, j));
            }
            if (parts.residual) {
                v *= 0.75;
                add(parts.residual_is_c ? test.before.at(i, j) : test.residual.at(i, j));
            }
            note(std::abs(test.c.at(i, j) - v), error + eps, "c", i, j);
        }
    }
    EXPECT_LE(worst, 1) << label << " at " << where << ", in units of the allowed error";
    EXPECT_TRUE(test.c.is_untouched_outside()) << label;
    EXPECT_TRUE(test.pre.is_untouched_outside()) << label;
}

std::string to_string(GemmForm form) { return form == GemmForm::nt ? "nt" : form == GemmForm::nn ? "nn" : "tn"; }

constexpr GemmForm all_forms[] = {GemmForm::nt, GemmForm::nn, GemmForm::tn};

template <class T>
void check(GemmForm form, Shape3 shape, Parts parts, std::size_t extra, int threads = 1) {
    Case<T> test{form, shape, parts, extra};
    CpuContext cpu{threads};

    run(cpu, test.gemm());

    expect_matches_reference(test, to_string(form) + " " + std::to_string(shape.m) + "x" + std::to_string(shape.n) +
                                       "x" + std::to_string(shape.k) + " stride +" + std::to_string(extra));
}

const std::vector<Parts>& all_epilogues() {
    static const std::vector<Parts> list = [] {
        std::vector<Parts> parts(11);
        parts[1].accumulate = Accumulate::yes;
        parts[2].alpha = -0.375;
        parts[3] = {.accumulate = Accumulate::yes, .alpha = 0.5, .bias = true};
        parts[4] = {.bias = true, .pre_activation = true, .activation = Activation::gelu};
        parts[5] = {.pre_activation = true, .activation = Activation::gelu_erf};
        parts[6] = {.bias = true, .activation = Activation::relu, .residual = true};
        parts[7] = {.gate = true, .gate_activation = Activation::gelu};
        parts[8] = {.accumulate = Accumulate::yes, .gate = true, .gate_activation = Activation::gelu_erf};
        parts[9] = {.gate = true, .gate_activation = Activation::relu, .residual = true};
        parts[10] = {.bias = true, .residual = true, .residual_is_c = true};
        return parts;
    }();
    return list;
}

/// Runs `body` once for every instruction set this machine has and the kernels are built for.
template <class Body>
void for_each_instruction_set(Body body) {
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
        SCOPED_TRACE(hwy::TargetName(target));
        hwy::SetSupportedTargetsForTest(target);
        body();
    }
    hwy::SetSupportedTargetsForTest(0);
}

template <class T>
class GemmOf : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(GemmOf, Types);

TYPED_TEST(GemmOf, AgreesWithASumInDoubleAtEverySmallShape) {
    for_each_instruction_set([] {
        for (const GemmForm form : all_forms) {
            for (std::size_t m : {1, 2, 5, 6, 7, 14, 15, 29}) {
                for (std::size_t n : {1, 3, 8, 16, 31, 32, 33, 67}) {
                    for (std::size_t k : {1, 2, 7, 16, 33}) { check<TypeParam>(form, {m, n, k}, {}, 3); }
                }
            }
        }
    });
}

TYPED_TEST(GemmOf, AgreesWithASumInDoubleWhenCutIntoManyBlocks) {
    for_each_instruction_set([] {
        for (const GemmForm form : all_forms) {
            for (const Shape3 shape :
                 {Shape3{128, 64, 64}, Shape3{133, 300, 70}, Shape3{9, 600, 513}, Shape3{61, 33, 1030}}) {
                check<TypeParam>(form, shape, {}, 0, 2);
                check<TypeParam>(form, shape, {.accumulate = Accumulate::yes, .alpha = 0.5}, 5, 2);
            }
        }
    });
}

TYPED_TEST(GemmOf, AppliesEveryEpilogue) {
    for_each_instruction_set([] {
        for (const Parts& parts : all_epilogues()) {
            SCOPED_TRACE("epilogue " + std::to_string(&parts - all_epilogues().data()));
            for (const GemmForm form : all_forms) {
                for (const Shape3 shape : {Shape3{30, 64, 40}, Shape3{17, 37, 300}, Shape3{3, 5, 0}}) {
                    check<TypeParam>(form, shape, parts, 2);
                }
            }
        }
    });
}

TYPED_TEST(GemmOf, WithoutRowsOrColumnsDoesNothing) {
    check<TypeParam>(GemmForm::nt, {0, 5, 4}, {}, 1);
    check<TypeParam>(GemmForm::nn, {5, 0, 4}, {}, 1);
    check<TypeParam>(GemmForm::tn, {0, 0, 0}, {}, 1);
}

TYPED_TEST(GemmOf, IsBitwiseEqualForAnyNumberOfThreads) {
    const Parts parts{
        .accumulate = Accumulate::yes, .bias = true, .pre_activation = true, .activation = Activation::gelu};
    for (const GemmForm form : all_forms) {
        for (const Shape3 shape : {Shape3{301, 200, 150}, Shape3{64, 64, 700}, Shape3{40, 900, 64}}) {
            Case<TypeParam> one{form, shape, parts, 1};
            CpuContext alone{1};
            run(alone, one.gemm());

            for (int threads : {2, 3}) {
                Case<TypeParam> several{form, shape, parts, 1};
                CpuContext cpu{threads};
                run(cpu, several.gemm());

                EXPECT_EQ(one.c.values(), several.c.values()) << to_string(form) << ", " << threads << " threads";
                EXPECT_EQ(one.pre.values(), several.pre.values());
            }
        }
    }
}

// A micro-batch may be cut anywhere without changing a token's numbers.
TYPED_TEST(GemmOf, GivesARowTheSameBitsInAnyCompany) {
    const Parts parts{.bias = true, .activation = Activation::gelu};
    CpuContext cpu{1};
    for (const GemmForm form : {GemmForm::nt, GemmForm::nn}) {
        Case<TypeParam> all{form, {200, 96, 320}, parts, 0};
        run(cpu, all.gemm());

        for (const FirstAndCount& piece : {FirstAndCount{0, 1}, FirstAndCount{13, 40}, FirstAndCount{150, 50}}) {
            Case<TypeParam> part{form, {200, 96, 320}, parts, 0};
            auto gemm = part.gemm();
            gemm.a = {gemm.a.data + piece.first * gemm.a.stride, piece.second, gemm.a.columns, gemm.a.stride};
            gemm.c = {gemm.c.data + piece.first * gemm.c.stride, piece.second, gemm.c.columns, gemm.c.stride};
            run(cpu, gemm);

            for (std::size_t i = piece.first; i < piece.first + piece.second; ++i) {
                for (std::size_t j = 0; j < 96; ++j) { ASSERT_EQ(part.c.at(i, j), all.c.at(i, j)) << i << ", " << j; }
            }
        }
    }
}

TEST(Gemm, PropagatesNotANumber) {
    for_each_instruction_set([] {
        Case<float> test{GemmForm::nt, {20, 40, 8}, {.activation = Activation::gelu}, 0};
        test.a.at(3, 2) = std::numeric_limits<float>::quiet_NaN();
        CpuContext cpu{1};

        run(cpu, test.gemm());

        for (std::size_t j = 0; j < 40; ++j) {
            EXPECT_TRUE(std::isnan(test.c.at(3, j)));
            EXPECT_FALSE(std::isnan(test.c.at(4, j)));
        }
    });
}

TEST(Gemm, CostCountsTheProductAndWhatItTouches) {
    Case<float> plain{GemmForm::nt, {10, 20, 30}, {}, 0};
    Case<float> fused{GemmForm::nt, {10, 20, 30}, {.bias = true, .pre_activation = true, .residual = true}, 0};
    CountingContext counting;

    run(counting, plain.gemm());

    EXPECT_EQ(counting.total(), (Cost{12000, 12000, 4 * (300 + 600), 4 * 200}));
    EXPECT_EQ(cost(fused.gemm()), (Cost{12000, 12000 + 3 * 200, 4 * (300 + 600 + 20 + 200), 4 * 400}));
    EXPECT_EQ(cost(Case<float>{GemmForm::tn, {10, 20, 30}, {}, 0}.gemm()).model_flops, 12000);
}

}  // namespace
}  // namespace loglog
