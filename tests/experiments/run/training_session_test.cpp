#include "experiments/run/training_session.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/base/error.hpp"
#include "experiments/run/checkpoint.hpp"
#include "tests/support/temporary_folder.hpp"

namespace loglog {
namespace {

constexpr std::int64_t vocab = 50;

RunSpec small_spec() {
    RunSpec spec;
    spec.data.synthetic.documents = 1;
    spec.model.layers = 2;
    spec.model.width = 32;
    spec.model.heads = 2;
    spec.model.context = 24;
    spec.model.dropout = 0.1;
    spec.train.tokens = 24 * 8 * 6;
    spec.train.batch_tokens = 24 * 8;
    spec.train.micro_batch = 4;
    return resolve(spec, vocab);
}

/// Each token follows from the one before, so that there is something to learn.
void counting_windows(std::uint64_t position, std::span<std::int32_t> window) {
    for (std::size_t i = 0; i < window.size(); ++i) {
        window[i] = static_cast<std::int32_t>((position * 7 + i * 3) % static_cast<std::uint64_t>(vocab));
    }
}

std::vector<double> losses_of(TrainingSession& session, int steps) {
    std::vector<double> losses;
    for (int i = 0; i < steps; ++i) { losses.push_back(session.step().loss); }
    return losses;
}

TEST(TrainingSession, StartsAtTheLossOfAUniformGuessAndLearns) {
    TrainingSession session{small_spec(), counting_windows, 1};

    const auto losses = losses_of(session, 6);

    EXPECT_NEAR(losses.front(), std::log(static_cast<double>(vocab)), 0.05);
    EXPECT_LT(losses.back(), losses.front());
}

TEST(TrainingSession, AnyNumberOfThreadsGivesTheSameLosses) {
    TrainingSession one{small_spec(), counting_windows, 1};
    TrainingSession three{small_spec(), counting_windows, 3};

    EXPECT_EQ(losses_of(one, 6), losses_of(three, 6));
}

TEST(TrainingSession, ACheckpointGoesOnBitForBit) {
    const TemporaryFolder folder;
    TrainingSession undisturbed{small_spec(), counting_windows, 1};
    const auto expected = losses_of(undisturbed, 6);
    TrainingSession interrupted{small_spec(), counting_windows, 1};
    losses_of(interrupted, 3);
    save_checkpoint(folder / "checkpoint.h5", interrupted.parameters(), {"id", 3, "hash"});

    TrainingSession resumed{small_spec(), counting_windows, 1};
    const auto label = load_checkpoint(folder / "checkpoint.h5", resumed.parameters());
    resumed.resume_after(label.step);

    EXPECT_EQ(label.id, "id");
    EXPECT_EQ(label.tokenizer, "hash");
    EXPECT_EQ(losses_of(resumed, 3), std::vector<double>(expected.begin() + 3, expected.end()));
}

TEST(TrainingSession, WeightsOfAnotherModelAreRefused) {
    const TemporaryFolder folder;
    TrainingSession small{small_spec(), counting_windows, 1};
    save_weights(folder / "weights.h5", small.parameters(), {"id", 0, ""});
    auto spec = small_spec();
    spec.model.mlp_width = 64;
    TrainingSession other{spec, counting_windows, 1};

    try {
        load_weights(folder / "weights.h5", other.parameters());
        FAIL() << "accepted";
    } catch (const Error& error) { EXPECT_THAT(error.what(), testing::HasSubstr("but the model's is [64, 32]")); }
}

TEST(TrainingSession, EvaluationAveragesTheBucketsOfPositions) {
    TrainingSession session{small_spec(), counting_windows, 1};

    const auto evaluation = session.evaluate(counting_windows, 5);  // 5 windows in micro-batches of 4

    ASSERT_EQ(evaluation.loss_by_position.size(), TrainingSession::position_buckets);
    double mean = 0;
    for (const double loss : evaluation.loss_by_position) { mean += loss / TrainingSession::position_buckets; }
    EXPECT_NEAR(evaluation.loss, mean, 1e-12);  // 24 positions fill 8 buckets equally
}

TEST(TrainingSession, EvaluationLeavesTrainingAlone) {
    TrainingSession plain{small_spec(), counting_windows, 1};
    TrainingSession evaluated{small_spec(), counting_windows, 1};
    const auto expected = losses_of(plain, 4);

    auto found = losses_of(evaluated, 2);
    evaluated.evaluate(counting_windows, 3);
    for (const double loss : losses_of(evaluated, 2)) { found.push_back(loss); }

    EXPECT_EQ(found, expected);
}

/// The counting windows, of which only some targets are asked for: more in later positions.
void labelled_windows(std::uint64_t position, std::span<std::int32_t> tokens, std::span<std::int32_t> targets) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        tokens[i] = static_cast<std::int32_t>((position * 7 + i * 3) % static_cast<std::uint64_t>(vocab));
        targets[i] = i < 1 + position % 3 ? static_cast<std::int32_t>((tokens[i] + 3) % vocab) : -1;
    }
}

TEST(TrainingSession, LossesAreMeansOverTheLabelsOfTheBatch) {
    TrainingSession session{small_spec(), labelled_windows, 1};

    const auto step = session.step();

    // Windows 0 to 7 ask for 1, 2, 3, 1, 2, 3, 1 and 2 tokens.
    EXPECT_EQ(step.labels, 15);
    EXPECT_NEAR(step.loss, std::log(static_cast<double>(vocab)), 0.05);
}

TEST(TrainingSession, LabelsOnEveryTokenGiveTheBitsOfPlainWindows) {
    TrainingSession plain{small_spec(), counting_windows, 1};
    const auto make = [](std::uint64_t position, std::span<std::int32_t> tokens, std::span<std::int32_t> targets) {
        std::vector<std::int32_t> window(25);
        counting_windows(position, window);
        for (std::size_t i = 0; i < 24; ++i) {
            tokens[i] = window[i];
            targets[i] = window[i + 1];
        }
    };
    TrainingSession labelled{small_spec(), make, 1};

    EXPECT_EQ(losses_of(labelled, 4), losses_of(plain, 4));
}

TEST(TrainingSession, AccuracyRisesToOneOnWhatCanBeLearned) {
    auto spec = small_spec();
    spec.model.dropout = 0;
    spec.train.tokens *= 20;
    spec.train.optimizer.lr = 1e-2;
    TrainingSession session{spec, labelled_windows, 1};
    const auto before = session.evaluate(labelled_windows, 6);
    losses_of(session, 120);

    const auto after = session.evaluate(labelled_windows, 6);

    EXPECT_LT(before.accuracy.value(), 0.5);
    EXPECT_GT(after.accuracy.value(), 0.95);
    ASSERT_EQ(after.by_length.size(), 3u);
    EXPECT_EQ(after.by_length[2].length, 3);
    double right = 0;
    for (const auto& score : after.by_length) { right += score.accuracy * static_cast<double>(2 * score.length); }
    EXPECT_NEAR(right / 12, *after.accuracy, 1e-12);
}

TEST(TrainingSession, MarkedTargetsAreAveragedByThemselves) {
    TrainingSession session{small_spec(), counting_windows, 1};
    std::vector<std::uint8_t> marked(5 * 24);
    const auto none = session.evaluate(counting_windows, 5, marked);
    std::fill(marked.begin(), marked.end(), std::uint8_t{1});
    const auto all = session.evaluate(counting_windows, 5, marked);

    EXPECT_FALSE(none.recall_loss.has_value());
    EXPECT_EQ(none.recall_share, 0);
    EXPECT_EQ(all.recall_loss.value(), all.loss);
    EXPECT_EQ(all.recall_share, 1);
    EXPECT_FALSE(all.accuracy.has_value());
}

TEST(TrainingSession, DocumentBoundariesNeedDocuments) {
    auto spec = small_spec();
    spec.train.document_boundaries = true;
    TrainingSession session{spec, counting_windows, 1};

    EXPECT_THROW(session.step(), InputError);
}

TEST(TrainingSession, NothingIsSeenOfTheDocumentBefore) {
    auto spec = small_spec();
    spec.train.document_boundaries = true;
    spec.model.positions = PositionKind::rotary;
    const auto documents = [](std::int32_t before) {
        return WindowSource{[before](std::uint64_t, std::span<std::int32_t> window) {
                   for (std::size_t i = 0; i < window.size(); ++i) {
                       window[i] = i < 11 ? before : i == 11 ? 49 : static_cast<std::int32_t>(i);
                   }
               }}
            .with_end_of_document(49);
    };
    TrainingSession session{spec, documents(3), 1};

    const auto one = session.evaluate(documents(3), 1).loss_by_position;
    const auto other = session.evaluate(documents(4), 1).loss_by_position;

    EXPECT_NE(one.front(), other.front());
    // The second document's tokens are those from 12 on, the fifth to the eighth range of three.
    EXPECT_TRUE(std::equal(one.begin() + 4, one.end(), other.begin() + 4));
}

}  // namespace
}  // namespace loglog
