#include "engine/kernels/embedding.hpp"

#include "tests/engine/kernels/compare.hpp"
#include "tests/engine/kernels/each_target.hpp"
#include "tests/engine/kernels/random_values.hpp"

namespace loglog {
namespace {

constexpr std::size_t vocab = 6, time = 3, width = 37;
const std::vector<std::int32_t> tokens{5, 0, 5, 2, 5, 1};

TEST(Embedding, AddsTokenAndPositionRows) {
    for_each_target([] {
        const auto table = random_values<float>(vocab * width, 1);
        const auto positions = random_values<float>(5 * width, 2);
        std::vector<float> y(tokens.size() * width), bare(y.size());
        CpuContext cpu{2};

        run(cpu, EmbeddingForward<float>{tokens, table, positions, y, time, width, 0.5f, 1});
        run(cpu, EmbeddingForward<float>{tokens, table, {}, bare, time, width});

        for (std::size_t t = 0; t < tokens.size(); ++t) {
            for (std::size_t i = 0; i < width; ++i) {
                const float row = table[static_cast<std::size_t>(tokens[t]) * width + i];
                EXPECT_EQ(y[t * width + i], 0.5f * (row + positions[(1 + t % time) * width + i]));
                EXPECT_EQ(bare[t * width + i], row);
            }
        }
    });
}

TEST(Embedding, GradientMatchesCentralDifferencesForRepeatedTokens) {
    for_each_target([] {
        auto table = random_values<double>(vocab * width, 1);
        auto positions = random_values<double>(time * width, 2);
        const auto dy = random_values<double>(tokens.size() * width, 3);
        std::vector<double> y(dy.size()), d_table(table.size()), d_positions(positions.size());
        CpuContext cpu{2};
        const auto loss = [&] {
            run(cpu, EmbeddingForward<double>{tokens, table, positions, y, time, width, 0.5});
            return dot_product(y, dy);
        };

        run(cpu, EmbeddingBackward<double>{tokens, dy, d_table, d_positions, time, width, 0.5});

        expect_gradient(d_table, table, loss, "token table");
        expect_gradient(d_positions, positions, loss, "position table");
    });
}

TEST(Embedding, GradientIsAddedAndBitwiseEqualForAnyNumberOfThreads) {
    const auto dy = random_values<float>(tokens.size() * width, 3);
    std::vector<float> one(vocab * width, 1.0f), three(vocab * width, 1.0f);
    CpuContext cpu1{1}, cpu3{3};

    run(cpu1, EmbeddingBackward<float>{tokens, dy, one, {}, time, width});
    run(cpu3, EmbeddingBackward<float>{tokens, dy, three, {}, time, width});

    EXPECT_EQ(one, three);
    EXPECT_EQ(one[3 * width], 1.0f);  // token 3 does not occur
}

// Rows [0, 2) and [2, 6) of the table on two imagined ranks.
struct TableParts {
    std::vector<float> lower, upper;
    explicit TableParts(const std::vector<float>& table)
        : lower(table.begin(), table.begin() + 2 * width), upper(table.begin() + 2 * width, table.end()) {}
};

TEST(Embedding, PartsOfATableAddUpToTheSameBits) {
    for_each_target([] {
        auto table = random_values<float>(vocab * width, 1);
        for (std::size_t i = 0; i < table.size(); i += 2) { table[i] = -0.0f; }
        const TableParts parts{table};
        const auto positions = random_values<float>(5 * width, 2);
        std::vector<float> whole(tokens.size() * width), lower(whole.size()), upper(whole.size());
        CpuContext cpu{2};

        for (const bool positioned : {false, true}) {
            const auto position_table = positioned ? std::span<const float>{positions} : std::span<const float>{};
            run(cpu, EmbeddingForward<float>{tokens, table, position_table, whole, time, width, 0.5f, 1});
            run(cpu, EmbeddingForward<float>{tokens, parts.lower, {}, lower, time, width});
            run(cpu, EmbeddingForward<float>{tokens, parts.upper, {}, upper, time, width, 1, 0, 2});
            for (std::size_t i = 0; i < lower.size(); ++i) { lower[i] += upper[i]; }
            const std::size_t half = lower.size() / 2;
            const auto rows = std::span{lower};
            run(cpu, AddPositions<float>{position_table, rows.first(half), time, width, 0.5f, 1});
            run(cpu, AddPositions<float>{position_table, rows.last(half), time, width, 0.5f, 1, tokens.size() / 2});

            EXPECT_EQ(lower, whole);
            for (std::size_t i = 0; i < whole.size(); ++i) {
                EXPECT_EQ(std::signbit(lower[i]), std::signbit(whole[i]));
            }
        }
    });
}

TEST(Embedding, GradientsOfPartsOfATableAreItsRows) {
    for_each_target([] {
        const auto dy = random_values<float>(tokens.size() * width, 3);
        std::vector<float> whole(vocab * width), positions(time * width), positions_in_two(time * width);
        TableParts parts{whole};
        CpuContext cpu{2};

        run(cpu, EmbeddingBackward<float>{tokens, dy, whole, positions, time, width, 0.5f});
        run(cpu, EmbeddingBackward<float>{tokens, dy, parts.lower, {}, time, width, 0.5f});
        run(cpu, EmbeddingBackward<float>{tokens, dy, parts.upper, {}, time, width, 0.5f, 2});
        const std::span all{tokens};
        const std::span<const float> rows{dy};
        run(cpu,
            EmbeddingBackward<float>{all.first(2), rows.first(2 * width), {}, positions_in_two, time, width, 0.5f});
        run(cpu, EmbeddingBackward<float>{
                     all.subspan(2), rows.subspan(2 * width), {}, positions_in_two, time, width, 0.5f, 0, 2});

        EXPECT_EQ(parts.lower, TableParts{whole}.lower);
        EXPECT_EQ(parts.upper, TableParts{whole}.upper);
        EXPECT_EQ(positions_in_two, positions);
    });
}

}  // namespace
}  // namespace loglog
