#include "engine/nn/cut.hpp"

#include <gtest/gtest.h>

#include <string>

namespace loglog {

void PrintTo(const Segment& s, std::ostream* out) {
    *out << "{local " << s.local_row << " global " << s.global_row << "," << s.global_column << " size " << s.rows
         << "x" << s.columns << " leaf " << s.first_leaf << "+" << s.leaf_count << (s.owned ? " owned}" : " copy}");
}

bool operator==(const Segment& a, const Segment& b) {
    return a.local_row == b.local_row && a.global_row == b.global_row && a.rows == b.rows &&
           a.global_column == b.global_column && a.columns == b.columns && a.first_leaf == b.first_leaf &&
           a.leaf_count == b.leaf_count && a.owned == b.owned;
}

namespace {

using Segments = std::vector<Segment>;

TensorShard shard(std::int64_t leaves, std::int64_t first, std::int64_t count) {
    return {.leaves = leaves, .first_leaf = first, .leaf_count = count};
}

Cut rows(std::vector<CutBlock> blocks) { return {.axis = Cut::Axis::rows, .blocks = std::move(blocks)}; }

TEST(Cut, GivesColumnsOutEvenly) {
    const Cut cut{.axis = Cut::Axis::columns};
    const Shape weight{3, 16};

    EXPECT_EQ(local_shape(weight, cut, shard(8, 2, 2)), (Shape{3, 4}));
    EXPECT_EQ(segments(weight, cut, shard(8, 2, 2)),
              (Segments{{.rows = 3, .global_column = 4, .columns = 4, .first_leaf = 2, .leaf_count = 2}}));
}

TEST(Cut, TakesItsShareOfEachBlock) {
    const Cut cut = rows({{.rows = 16, .units = 8}, {.rows = 8, .units = 4}, {.rows = 8, .units = 4}});

    const auto found = segments(Shape{32, 5}, cut, shard(4, 2, 2));

    EXPECT_EQ(local_shape(Shape{32, 5}, cut, shard(4, 2, 2)), (Shape{16, 5}));
    EXPECT_EQ(found, (Segments{{.local_row = 0, .global_row = 8, .rows = 4, .columns = 5, .first_leaf = 2},
                               {.local_row = 4, .global_row = 12, .rows = 4, .columns = 5, .first_leaf = 3},
                               {.local_row = 8, .global_row = 20, .rows = 2, .columns = 5, .first_leaf = 2},
                               {.local_row = 10, .global_row = 22, .rows = 2, .columns = 5, .first_leaf = 3},
                               {.local_row = 12, .global_row = 28, .rows = 2, .columns = 5, .first_leaf = 2},
                               {.local_row = 14, .global_row = 30, .rows = 2, .columns = 5, .first_leaf = 3}}));
}

TEST(Cut, CopiesUnitsThatAreFewerThanLeaves) {
    const Cut bias = rows({{.rows = 8, .units = 4}, {.rows = 4, .units = 2}});

    const auto found = segments(Shape{12}, bias, shard(4, 1, 2));

    EXPECT_EQ(local_shape(Shape{12}, bias, shard(4, 1, 2)), Shape{8});
    EXPECT_EQ(found,
              (Segments{{.local_row = 0, .global_row = 2, .rows = 2, .columns = 1, .first_leaf = 1},
                        {.local_row = 2, .global_row = 4, .rows = 2, .columns = 1, .first_leaf = 2},
                        {.local_row = 4, .global_row = 8, .rows = 2, .columns = 1, .first_leaf = 1, .owned = false},
                        {.local_row = 6, .global_row = 10, .rows = 2, .columns = 1, .first_leaf = 2}}));
}

TEST(Cut, PadsAVocabularyAndLeavesPaddingOut) {
    const Cut cut = rows({{.rows = 19, .units = 19, .padded = true}});

    EXPECT_EQ(rows_per_leaf(cut.blocks[0], 8), 8);
    EXPECT_EQ(rows_per_leaf(cut.blocks[0], 1), 19);
    EXPECT_EQ(rows_per_leaf({.rows = 50257, .units = 50257, .padded = true}, 4), 12568);
    EXPECT_EQ(local_shape(Shape{19, 4}, cut, shard(8, 2, 2)), (Shape{16, 4}));
    EXPECT_EQ(segments(Shape{19, 4}, cut, shard(8, 2, 2)),
              (Segments{{.local_row = 0, .global_row = 16, .rows = 3, .columns = 4, .first_leaf = 2}}));
    EXPECT_TRUE(segments(Shape{19, 4}, cut, shard(8, 4, 4)).empty());
}

TEST(Cut, GivesEveryRankWholeParametersAndTheFirstOwnsThem) {
    EXPECT_EQ(local_shape(Shape{7}, {}, shard(4, 2, 2)), Shape{7});
    EXPECT_EQ(segments(Shape{7}, {}, shard(4, 0, 2)), (Segments{{.rows = 7, .columns = 1}}));
    EXPECT_EQ(segments(Shape{7}, {}, shard(4, 2, 2)), (Segments{{.rows = 7, .columns = 1, .owned = false}}));
}

TEST(Cut, LeavesOneLeafAsItIs) {
    const Cut cut = rows({{.rows = 10, .units = 2}, {.rows = 9, .units = 1}});

    EXPECT_EQ(local_shape(Shape{19, 4}, cut, {}), (Shape{19, 4}));
    EXPECT_EQ(segments(Shape{19, 4}, cut, {}), (Segments{{.rows = 19, .columns = 4}}));
}

struct CutCase {
    const char* name;
    Shape shape;
    Cut cut;
};

class EveryCut : public ::testing::TestWithParam<CutCase> {};

TEST_P(EveryCut, OwnsEachValueOnceOverAllRanksAndCoversEachRank) {
    const auto& [name, shape, cut] = GetParam();
    const auto columns = shape.elements() / shape[0];
    for (const std::int64_t leaves : {1, 2, 4, 8}) {
        for (std::int64_t ranks = 1; ranks <= leaves; ranks *= 2) {
            std::vector<int> owners(static_cast<std::size_t>(shape.elements()));
            for (std::int64_t rank = 0; rank < ranks; ++rank) {
                const auto part = shard(leaves, rank * leaves / ranks, leaves / ranks);
                const auto local = local_shape(shape, cut, part);
                std::vector<int> held(static_cast<std::size_t>(local[0]));
                for (const auto& segment : segments(shape, cut, part)) {
                    ASSERT_LE(segment.local_row + segment.rows, local[0]);
                    for (std::int64_t row = 0; row < segment.rows; ++row) {
                        ++held[static_cast<std::size_t>(segment.local_row + row)];
                        for (std::int64_t column = 0; segment.owned && column < segment.columns; ++column) {
                            ++owners[static_cast<std::size_t>((segment.global_row + row) * columns +
                                                              segment.global_column + column)];
                        }
                    }
                }
                for (const int times : held) { ASSERT_LE(times, 1); }
            }
            for (const int times : owners) { ASSERT_EQ(times, 1) << name << " " << leaves << " " << ranks; }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    Cuts, EveryCut,
    ::testing::Values(CutCase{"columns", Shape{3, 16}, {.axis = Cut::Axis::columns}}, CutCase{"whole", Shape{6, 2}, {}},
                      CutCase{"grouped", Shape{24, 3}, rows({{.rows = 16, .units = 8}, {.rows = 8, .units = 2}})},
                      CutCase{"gain", Shape{5}, rows({{.rows = 5, .units = 1}})},
                      CutCase{"vocabulary", Shape{19, 3}, rows({{.rows = 19, .units = 19, .padded = true}})}),
    [](const auto& parameter) { return std::string{parameter.param.name}; });

}  // namespace
}  // namespace loglog
