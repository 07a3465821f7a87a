#include "db/import/event_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "db/import/crc32c.hpp"
#include "engine/base/error.hpp"
#include "tests/support/event_file_writer.hpp"

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(Crc32c, MatchesPublishedValues) {
    // RFC 3720, appendix B.4; "123456789" is the check value of the catalogue of CRC algorithms.
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
    EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
    EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
}

TEST(EventFile, ReadsSimpleValuesAndTensors) {
    EventFileWriter writer;
    writer.add_scalar("train/loss", 0, 2.5F, 1.7e9 + 0.25);
    writer.add_tensor_scalar("val/loss", 300, 0.1F);
    writer.add_tensor_of_doubles("lr", 1'000'000, 0.1, 1);

    const EventFile file = parse_event_file(writer.contents(), "events");

    EXPECT_THAT(file.scalars, ElementsAre(EventScalar{"train/loss", 0, 1.7e9 + 0.25, 2.5},
                                          EventScalar{"val/loss", 300, 1.7e9, static_cast<double>(0.1F)},
                                          EventScalar{"lr", 1'000'000, 1.7e9, 0.1}));
    EXPECT_EQ(file.other_values, 0);
    EXPECT_THAT(file.note, IsEmpty());
}

TEST(EventFile, PassesOverWhatIsNoScalar) {
    EventFileWriter writer;
    writer.add_tensor_of_doubles("histogram", 1, 0.5, 3);

    const EventFile file = parse_event_file(writer.contents(), "events");

    EXPECT_THAT(file.scalars, IsEmpty());
    EXPECT_EQ(file.other_values, 1);
}

TEST(EventFile, ReadsWhatIsWholeOfATruncatedFile) {
    EventFileWriter writer;
    writer.add_scalar("loss", 1, 2.5F);
    const std::size_t whole = writer.contents().size();
    writer.add_scalar("loss", 2, 2.25F);

    for (std::size_t size = whole + 1; size < writer.contents().size(); ++size) {
        const EventFile file = parse_event_file(writer.contents().substr(0, size), "events");

        ASSERT_EQ(file.scalars.size(), 1u) << size;
        EXPECT_THAT(file.note, HasSubstr("record 3 (byte ")) << size;
    }
    EXPECT_THAT(parse_event_file(writer.contents().substr(0, whole), "events").note, IsEmpty());
}

TEST(EventFile, FindsEveryFlippedBit) {
    EventFileWriter writer;
    writer.add_scalar("loss", 1, 2.5F);

    for (std::size_t i = 0; i < writer.contents().size(); ++i) {
        std::string damaged = writer.contents();
        damaged[i] = static_cast<char>(damaged[i] ^ 4);
        EXPECT_THROW(parse_event_file(damaged, "events"), InputError) << "byte " << i;
    }
}

TEST(EventFile, RefusesOtherFilesAndBadMessages) {
    const auto refusal = [](const std::string& bytes) -> std::string {
        try {
            parse_event_file(bytes, "events");
        } catch (const InputError& error) { return error.what(); }
        return "it was not refused";
    };
    EventFileWriter writer;
    writer.add_record("\x0a\x50short");  // field 1 says that 80 bytes follow

    EXPECT_THAT(refusal("N,D,loss\n1,2,3\n"), HasSubstr("events: record 1 (byte 0): the checksum of its length"));
    EXPECT_THAT(refusal(writer.contents()), HasSubstr("record 2"));
    EXPECT_THAT(refusal(writer.contents()), HasSubstr("a field is longer than its message"));
}

TEST(EventTable, KeepsTheLaterOfRepeatedStepsByTag) {
    EventFileWriter first;
    EventFileWriter restarted;
    for (const int step : {10, 20, 30}) { first.add_scalar("loss", step, 3.0F - static_cast<float>(step) / 100); }
    first.add_scalar("lr", 10, 0.5F);
    restarted.add_scalar("loss", 20, 2.0F);
    const EventRun run{"a", {parse_event_file(first.contents(), "1"), parse_event_file(restarted.contents(), "2")}};
    const EventRun other{"b", {parse_event_file(restarted.contents(), "2")}};

    const ImportTable table = table_of_events(std::vector{run, other}, "logs");

    EXPECT_THAT(table.columns, ElementsAre("run", "step", "wall_time", "loss", "lr"));
    ASSERT_EQ(table.rows.size(), 3u);
    EXPECT_THAT(table.rows[0].cells, ElementsAre("a", "10", Not(IsEmpty()), "2.9000000953674316", "0.5"));
    EXPECT_THAT(table.rows[1].cells, ElementsAre("a", "20", Not(IsEmpty()), "2", ""));
    EXPECT_THAT(table.rows[2].cells, ElementsAre("b", "20", Not(IsEmpty()), "2", ""));
}

}  // namespace
}  // namespace loglog
