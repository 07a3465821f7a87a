#include <gtest/gtest.h>

#include "engine/kernels/gemm.hpp"
#include "tests/support/vocab_case.hpp"

namespace loglog::testing {
namespace {

struct ProductShape {
    std::size_t m;
    std::size_t n;
    std::size_t k;
};

MatrixView<const float> view(const std::vector<float>& values, std::size_t rows, std::size_t columns) {
    return {values.data(), rows, columns, columns};
}

/// Elements of a product that is made in pieces of c: the promise that column-parallel layers and pieces of weight
/// gradients rest on.
class CutProduct : public ::testing::TestWithParam<GemmForm> {
  protected:
    /// Whose first values are both factors and what the product is added to.
    inline static const std::vector<float> numbers = normal_values<float>(1'400'000, 1);

    std::vector<float> product(const ProductShape& s, std::size_t row_pieces, std::size_t column_pieces) {
        const auto form = GetParam();
        std::vector<float> c = numbers;
        c.resize(s.m * s.n);
        const auto a_view = form == GemmForm::tn ? view(numbers, s.k, s.m) : view(numbers, s.m, s.k);
        const auto b_view = form == GemmForm::nt ? view(numbers, s.n, s.k) : view(numbers, s.k, s.n);
        Context context{CpuContext{1}};
        for (std::size_t i = 0; i < row_pieces; ++i) {
            for (std::size_t j = 0; j < column_pieces; ++j) {
                const std::size_t row = s.m * i / row_pieces;
                const std::size_t rows = s.m * (i + 1) / row_pieces - row;
                const std::size_t column = s.n * j / column_pieces;
                const std::size_t columns = s.n * (j + 1) / column_pieces - column;
                Gemm<float> gemm{.form = form, .a = a_view, .b = b_view, .c = {}, .accumulate = Accumulate::yes};
                if (form == GemmForm::tn) {
                    gemm.a = {a_view.data + row, s.k, rows, a_view.stride};
                } else {
                    gemm.a = {a_view.data + row * a_view.stride, rows, s.k, a_view.stride};
                }
                if (form == GemmForm::nt) {
                    gemm.b = {b_view.data + column * b_view.stride, columns, s.k, b_view.stride};
                } else {
                    gemm.b = {b_view.data + column, s.k, columns, b_view.stride};
                }
                gemm.c = {c.data() + row * s.n + column, rows, columns, s.n};
                launch(context, gemm);
            }
        }
        return c;
    }
};

TEST_P(CutProduct, HasTheWholesBits) {
    for (const ProductShape& shape : {ProductShape{61, 83, 37},
                                      {512, 768, 64},
                                      {300, 257, 513},
                                      {129, 512, 1100},
                                      {1024, 96, 512},
                                      {65, 1025, 1024},
                                      {4, 640, 2048}}) {
        const auto whole = product(shape, 1, 1);
        for (const auto& [row_pieces, column_pieces] :
             {std::pair<std::size_t, std::size_t>{1, 2}, {1, 3}, {1, 8}, {2, 1}, {4, 1}, {3, 5}}) {
            EXPECT_TRUE(same_bits(product(shape, row_pieces, column_pieces), whole))
                << shape.m << " x " << shape.n << " x " << shape.k << " in " << row_pieces << " x " << column_pieces;
        }
    }
}

TEST_P(CutProduct, AddsToAPartnersSumLikeAnAdditionOfTheFinishedProduct) {
    for (const std::size_t k : {64u, 512u, 1100u}) {
        const ProductShape shape{70, 90, k};
        std::vector<float> expected = numbers;
        expected.resize(70 * 90);
        std::vector<float> finished(70 * 90);
        const auto form = GetParam();
        Context context{CpuContext{1}};
        launch(context, Gemm<float>{.form = form,
                                    .a = form == GemmForm::tn ? view(numbers, k, 70) : view(numbers, 70, k),
                                    .b = form == GemmForm::nt ? view(numbers, 90, k) : view(numbers, k, 90),
                                    .c = {finished.data(), 70, 90, 90}});
        for (std::size_t i = 0; i < expected.size(); ++i) { expected[i] += finished[i]; }

        EXPECT_TRUE(same_bits(product(shape, 1, 1), expected)) << k;
    }
}

INSTANTIATE_TEST_SUITE_P(Forms, CutProduct, ::testing::Values(GemmForm::nt, GemmForm::nn, GemmForm::tn));

}  // namespace
}  // namespace loglog::testing
