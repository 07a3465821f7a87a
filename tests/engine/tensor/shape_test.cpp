#include "engine/tensor/shape.hpp"

#include <gtest/gtest.h>

#include "engine/tensor/tensor.hpp"

namespace loglog {
namespace {

TEST(Shape, CountsElementsAndRows) {
    const Shape shape{4, 3, 5};

    EXPECT_EQ(shape.elements(), 60);
    EXPECT_EQ(shape.rows(), 12);
    EXPECT_EQ(shape.back(), 5);
    EXPECT_EQ(Shape{}.elements(), 1);
    EXPECT_EQ((Shape{3, 0}).rows(), 0);
    EXPECT_EQ(to_string(shape), "[4, 3, 5]");
    EXPECT_NE(shape, (Shape{4, 3}));
}

TEST(ShapeError, SaysWhatIsAndWhatMustBe) {
    const ShapeError error{"rms_norm", "gain", Shape{768}, Shape{512}, "one value per channel"};

    EXPECT_STREQ(error.what(), "rms_norm: 'gain' is [768] but must be [512] (one value per channel)");
    EXPECT_EQ(error.kind(), ErrorKind::input);
    EXPECT_EQ(error.wanted(), Shape{512});
}

TEST(Tensor, KnowsItsBytes) {
    EXPECT_EQ((Tensor{nullptr, Shape{3, 5}, DType::float32, nullptr}.bytes()), 60u);
    EXPECT_EQ((Tensor{nullptr, Shape{3, 5}, DType::float64, nullptr}.bytes()), 120u);
    EXPECT_TRUE(Tensor{}.values<float>().empty());
}

}  // namespace
}  // namespace loglog
