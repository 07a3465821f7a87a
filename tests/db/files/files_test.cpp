#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "db/files/file_system.hpp"
#include "db/files/publish.hpp"
#include "engine/base/error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace loglog {
namespace {

using ::testing::HasSubstr;

TEST(Publish, ReplacesTheOldFileAndLeavesNoPartialOne) {
    const TemporaryFolder folder;
    write_file(folder / "a.json", "old", Durability::process);

    write_file(folder / "a.json", "new", Durability::machine);

    EXPECT_EQ(read_file(folder / "a.json"), "new");
    EXPECT_FALSE(std::filesystem::exists(partial_path(folder / "a.json")));
}

TEST(Publish, KeepsTheOldFileWhenTheNewOneCannotBeWritten) {
    const TemporaryFolder folder;
    write_file(folder / "a.json", "old", Durability::process);
    std::filesystem::create_directory(partial_path(folder / "a.json"));  // in the way

    EXPECT_THROW(write_file(folder / "a.json", "new", Durability::process), Error);

    EXPECT_EQ(read_file(folder / "a.json"), "old");
}

TEST(Publish, KeepsTheOldFileWhenTheDiskIsFull) {
    const TemporaryFolder folder;
    write_file(folder / "a.json", "old", Durability::process);
    std::filesystem::create_symlink("/dev/full", partial_path(folder / "a.json"));

    try {
        write_file(folder / "a.json", "new", Durability::process);
        FAIL();
    } catch (const Error& error) { EXPECT_THAT(error.what(), HasSubstr("No space left on device; free some space")); }

    EXPECT_EQ(read_file(folder / "a.json"), "old");
    EXPECT_FALSE(std::filesystem::exists(partial_path(folder / "a.json")));
}

TEST(Publish, NamesTheFileAndTheReasonWhenReadingFails) {
    const TemporaryFolder folder;

    try {
        read_file(folder / "absent");
        FAIL();
    } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr((folder / "absent").string()));
        EXPECT_THAT(error.what(), HasSubstr("No such file"));
    }
}

TEST(Publish, ReadsFilesLargerThanOneBlock) {
    const TemporaryFolder folder;
    const std::string text(200'001, 'x');
    write_file(folder / "big", text, Durability::process);

    EXPECT_EQ(read_file(folder / "big"), text);
}

TEST(Publish, SaysWhatToDoAboutAFullDisk) {
    EXPECT_THAT(system_failure("f", "writing", ENOSPC), HasSubstr("free some space"));
    EXPECT_THAT(system_failure("f", "writing", EACCES), ::testing::Not(HasSubstr("free some space")));
}

TEST(FileSystem, KnowsTheSharedOnesByTheirMagicNumber) {
    EXPECT_EQ(file_system_from_magic(0x6969).name, "nfs");
    EXPECT_TRUE(file_system_from_magic(0x0BD00BD0).network);
    EXPECT_EQ(file_system_from_magic(0x47504653).name, "gpfs");
    EXPECT_FALSE(file_system_from_magic(0xEF53).network) << "ext4";
}

TEST(FileSystem, SignExtendedMagicNumbersAreRecognised) {
    const long as_some_kernels_return_it = static_cast<int>(0xFF534D42);
    EXPECT_EQ(file_system_from_magic(static_cast<unsigned long>(as_some_kernels_return_it)).name, "cifs");
}

TEST(FileSystem, AsksTheNearestExistingParent) {
    const TemporaryFolder folder;

    EXPECT_EQ(file_system_of(folder / "not/there/yet").name, file_system_of(folder.path()).name);
}

}  // namespace
}  // namespace loglog
