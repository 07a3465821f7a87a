#include "distributed/pipeline_parallel/stage_mail.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/distributed/pipeline_parallel/rendezvous_group.hpp"

namespace loglog::testing {
namespace {

using ::testing::Each;

/// One stage that writes to itself.
class StageMailTest : public ::testing::Test {
  protected:
    void send(int tag, int value) {
        std::ranges::fill(mail_.copy_buffer(), std::byte(value));
        mail_.send_copy({0, tag});
    }

    MessageBoard board_;
    RendezvousGroup group_{board_, 0, 1};
    StageMail mail_{group_, Backing::memory, 3};
};

TEST_F(StageMailTest, DeliversInTheOrderOfExpectationsWhateverTheOrderOfSends) {
    mail_.start(16);
    mail_.expect({0, 1});
    mail_.expect({0, 2});

    send(2, 22);
    send(1, 11);

    EXPECT_THAT(mail_.receive(), Each(std::byte{11}));
    EXPECT_THAT(mail_.receive(), Each(std::byte{22}));
    mail_.finish();
    EXPECT_EQ(board_.left_over(), 0u);
}

TEST_F(StageMailTest, KeepsAMessageWhileLaterOnesAreExpected) {
    mail_.start(8);
    mail_.expect({0, 1});
    send(1, 11);
    const auto first = mail_.receive();

    mail_.expect({0, 2});
    mail_.expect({0, 3});
    send(2, 22);
    send(3, 33);

    EXPECT_THAT(first, Each(std::byte{11}));
    EXPECT_THAT(mail_.receive(), Each(std::byte{22}));
    EXPECT_THAT(mail_.receive(), Each(std::byte{33}));
    mail_.finish();
}

TEST_F(StageMailTest, ChangesTheSizeOfMessages) {
    for (const std::size_t size : {4u, 64u, 16u}) {
        mail_.start(size);
        mail_.expect({0, 1});
        send(1, static_cast<int>(size));

        const auto message = mail_.receive();

        EXPECT_EQ(message.size(), size);
        EXPECT_THAT(message, Each(std::byte(size)));
        mail_.finish();
    }
}

TEST_F(StageMailTest, TakesMessagesOfAnyNumberRoundByRound) {
    mail_.start(4);
    for (int i = 0; i < 20; ++i) {
        mail_.expect({0, 7});
        send(7, i);
        EXPECT_THAT(mail_.receive(), Each(std::byte(i)));
    }
    mail_.finish();
    EXPECT_EQ(board_.left_over(), 0u);
    EXPECT_GE(mail_.waiting(), 0);
}

}  // namespace
}  // namespace loglog::testing
