#include "distributed/topology/layout.hpp"

#include <gmock/gmock.h>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

using testing::HasSubstr;

std::string refusal(const std::string& text) {
    try {
        return "read as " + to_string(parse_layout(text));
    } catch (const InputError& error) { return error.what(); }
}

TEST(Layout, IsReadAndWrittenAsThreeNumbers) {
    EXPECT_EQ(parse_layout("2x1x4"), (Layout{.dp = 2, .tp = 1, .pp = 4}));
    EXPECT_EQ(to_string(Layout{.dp = 16, .tp = 8, .pp = 1}), "16x8x1");
    EXPECT_EQ(parse_layout("16x8x1").ranks(), 128);
}

TEST(Layout, SaysWhatIsWrongWithAText) {
    EXPECT_THAT(refusal("2x1"), HasSubstr("layout \"2x1\" has 2 numbers: it must be three positive numbers"));
    EXPECT_THAT(refusal(""), HasSubstr("lacks number 1"));
    EXPECT_THAT(refusal("2xx4"), HasSubstr("lacks number 2"));
    EXPECT_THAT(refusal("2x0x4"), HasSubstr("has 0"));
    EXPECT_THAT(refusal("2x-1x4"), HasSubstr("has -1"));
    EXPECT_THAT(refusal("2,1,4"), HasSubstr("has ',' where 'x' must be"));
    EXPECT_THAT(refusal("2x1x4x1"), HasSubstr("goes on with \"x1\""));
    EXPECT_THAT(refusal("2x1x99999999999"), HasSubstr("too large"));
    EXPECT_THAT(refusal("65536x65536x2"), HasSubstr("too large"));
}

TEST(Layout, PutsTensorRanksNextToEachOtherThenDataThenStages) {
    const Layout layout{.dp = 3, .tp = 2, .pp = 4};

    EXPECT_EQ(place_of(layout, 1), (Place{.dp = 0, .tp = 1, .pp = 0}));
    EXPECT_EQ(place_of(layout, 2), (Place{.dp = 1, .tp = 0, .pp = 0}));
    EXPECT_EQ(place_of(layout, 6), (Place{.dp = 0, .tp = 0, .pp = 1}));
    for (int rank = 0; rank < layout.ranks(); ++rank) { EXPECT_EQ(rank_of(layout, place_of(layout, rank)), rank); }
    EXPECT_THROW(place_of(layout, 24), Error);
    EXPECT_THROW(place_of(layout, -1), Error);
}

}  // namespace
}  // namespace loglog
