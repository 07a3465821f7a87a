#include "engine/optim/gradient_tiles.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "engine/optim/adamw_optimizer.hpp"

namespace loglog {
namespace {

std::vector<ParameterSpec> cut_specs() {
    const auto spec = [](std::string name, Shape shape, Cut cut) {
        ParameterSpec result;
        result.name = std::move(name);
        result.shape = shape;
        result.init_std = 1;
        result.cut = std::move(cut);
        return result;
    };
    return {spec("table", Shape{19, 700}, {Cut::Axis::rows, {{.rows = 19, .units = 19, .padded = true}}}),
            spec("qkv", Shape{32, 1024}, {Cut::Axis::rows, {{.rows = 16, .units = 4}, {.rows = 16, .units = 2}}}),
            spec("gain", Shape{6}, {Cut::Axis::rows, {{.rows = 6, .units = 1}}}),
            spec("out", Shape{513, 48}, {Cut::Axis::columns, {}}), spec("bias", Shape{5000}, {Cut::Axis::whole, {}})};
}

Parameters part_of(std::int64_t leaves, std::int64_t ranks, std::int64_t rank) {
    const TensorShard shard{.leaves = leaves, .first_leaf = rank * (leaves / ranks), .leaf_count = leaves / ranks};
    return Parameters{cut_specs(), Purpose::training, DType::float32, Backing::memory, shard};
}

// Each value a function of its place in the whole model.
void set_gradients(Parameters& parameters) {
    for (std::size_t index = 0; index < parameters.size(); ++index) {
        const auto id = static_cast<ParameterId>(index);
        const auto& spec = parameters.spec(id);
        const Random random{Seed{5}, Stream::init, name_hash(spec.name)};
        const auto columns = spec.shape.rank() == 1 ? 1 : spec.shape[1];
        for (const auto& segment : parameters.segments(id)) {
            for (std::int64_t row = 0; row < segment.rows; ++row) {
                for (std::int64_t column = 0; column < segment.columns; ++column) {
                    const auto place = (segment.global_row + row) * columns + segment.global_column + column;
                    const auto local = (segment.local_row + row) * segment.columns + column;
                    parameters.gradient<float>(id)[static_cast<std::size_t>(local)] =
                        static_cast<float>(random.normal(static_cast<std::uint64_t>(place)));
                }
            }
        }
    }
}

std::vector<double> table_of(Parameters& parameters) {
    Context context{CpuContext{1}};
    set_gradients(parameters);
    const GradientTiles tiles{parameters};
    std::vector<SquaresTile<float>> squares;
    for (const auto& tile : tiles.all()) {
        if (!tile.owned) { continue; }
        append_squares<float>(squares, std::span{&tile, 1}, parameters.gradient<float>(tile.parameter));
    }
    std::vector<double> table(tiles.entries());
    launch(context, TileSquares<float>{squares, table});
    return table;
}

TEST(GradientTiles, AreAbout4096ValuesAndCoverWhatIsHeldOnce) {
    for (const std::int64_t ranks : {1, 2, 4}) {
        const auto parameters = part_of(4, ranks, ranks - 1);
        const GradientTiles tiles{parameters};
        for (std::size_t index = 0; index < parameters.size(); ++index) {
            const auto id = static_cast<ParameterId>(index);
            std::int64_t rows = 0, held = 0;
            for (const auto& segment : parameters.segments(id)) { held += segment.rows; }
            for (const auto& tile : tiles.of(id)) {
                EXPECT_EQ(tile.first_row, rows);
                EXPECT_LE(tile.rows * tile.columns / tile.leaves, 4096);
                rows += tile.rows;
            }
            EXPECT_EQ(rows, held) << parameters.spec(id).name;
        }
    }
}

TEST(GradientTiles, HaveOneTableWhoseEntriesRanksFillOnceWithTheSameBits) {
    auto whole = part_of(4, 1, 0);
    const auto expected = table_of(whole);
    EXPECT_THAT(expected, testing::Each(testing::Gt(0.0)));
    for (const std::int64_t ranks : {2, 4}) {
        std::vector<double> sum(expected.size());
        for (std::int64_t rank = 0; rank < ranks; ++rank) {
            auto part = part_of(4, ranks, rank);
            const auto mine = table_of(part);
            ASSERT_EQ(mine.size(), sum.size());
            for (std::size_t i = 0; i < sum.size(); ++i) {
                EXPECT_TRUE(mine[i] == 0 || sum[i] == 0) << "two ranks fill entry " << i;
                sum[i] += mine[i];
            }
        }
        EXPECT_EQ(sum, expected) << ranks << " ranks";
    }
}

TEST(GradientTiles, AddUpToTheNormOfTheModelWithoutItsCopies) {
    auto uncut = part_of(1, 1, 0);
    auto cut = part_of(4, 1, 0);
    set_gradients(uncut);
    double expected = 0;
    for (const float value : uncut.all_gradients<float>()) { expected += static_cast<double>(value) * value; }
    Context context{CpuContext{1}};

    EXPECT_NEAR(norm_of(table_of(cut)), std::sqrt(expected), 1e-12 * std::sqrt(expected));
    EXPECT_NEAR(gradient_norm(context, uncut), std::sqrt(expected), 1e-12 * std::sqrt(expected));
    EXPECT_EQ(gradient_norm(context, cut), norm_of(table_of(cut)));
}

TEST(GradientTiles, OfAParameterThatLiesElsewhereKeepItsPlaceInTheTable) {
    auto specs = cut_specs();
    specs[1].present = false;
    Parameters part{specs, Purpose::training};
    const GradientTiles without{part};
    const GradientTiles with{Parameters{cut_specs(), Purpose::training}};

    EXPECT_EQ(without.entries(), with.entries());
    EXPECT_TRUE(without.of(ParameterId{1}).empty());
    EXPECT_EQ(without.first_entry(ParameterId{2}), with.first_entry(ParameterId{2}));
}

TEST(AdamWStep, OnPiecesIsTheStepOnTheWhole) {
    Context context{CpuContext{1}};
    auto whole = part_of(1, 1, 0);
    Parameters pieces{cut_specs(), Purpose::training, DType::float32, Backing::memory, {}, Moments::elsewhere};
    std::vector<std::vector<float>> moments;
    moments.reserve(4 * pieces.size());
    std::vector<StatePiece> state;
    for (std::size_t index = 0; index < pieces.size(); ++index) {
        const auto id = static_cast<ParameterId>(index);
        const auto rows = pieces.local_shape(id)[0];
        const auto columns = pieces.local_shape(id).elements() / rows;
        for (const auto& [first, count] :
             {std::pair{std::int64_t{0}, rows / 3}, std::pair{rows / 3, rows - rows / 3}}) {
            const auto begin = static_cast<std::size_t>(first * columns);
            const auto size = static_cast<std::size_t>(count * columns);
            auto& first_moment = moments.emplace_back(size);
            auto& second_moment = moments.emplace_back(size);
            state.push_back({.parameter = id,
                             .first_row = first,
                             .rows = count,
                             .values = pieces.values<float>(id).subspan(begin, size),
                             .gradient = pieces.gradient<float>(id).subspan(begin, size),
                             .first_moment = first_moment,
                             .second_moment = second_moment});
        }
    }
    whole.initialize(Seed{1});
    pieces.initialize(Seed{1});
    for (std::int64_t step = 1; step <= 3; ++step) {
        set_gradients(whole);
        set_gradients(pieces);
        const auto report = adamw_step(context, whole, {}, 1e-2, step);

        adamw_step(context, pieces, state, {}, 1e-2, step, report.gradient_norm);
    }

    EXPECT_TRUE(std::ranges::equal(whole.all_values<float>(), pieces.all_values<float>()));
}

}  // namespace
}  // namespace loglog
