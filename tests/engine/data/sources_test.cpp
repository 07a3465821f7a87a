#include "engine/data/sources.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "engine/base/error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace loglog {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FindSourceFiles : public ::testing::Test {
  protected:
    FindSourceFiles() {
        for (const char* name : {"b/two.py", "b/one.txt", "a/deep/er/three.py", "top.md"}) {
            fs::create_directories((folder_ / name).parent_path());
            std::ofstream{folder_ / name} << name;
        }
    }

    // Names below the folder.
    std::vector<std::string> find(const std::vector<std::string>& paths,
                                  const std::vector<std::string>& include = {}) const {
        std::vector<std::string> absolute;
        for (const auto& path : paths) { absolute.push_back((folder_ / path).string()); }
        std::vector<std::string> names;
        for (const auto& file : find_source_files(absolute, include)) {
            names.push_back(fs::path{file}.lexically_relative(folder_.path()).string());
        }
        return names;
    }

    TemporaryFolder folder_;
};

TEST_F(FindSourceFiles, ListsFilesFoldersAndPatternsSortedAndOnce) {
    EXPECT_THAT(find({"b", "a"}), ElementsAre("a/deep/er/three.py", "b/one.txt", "b/two.py"));
    EXPECT_THAT(find({"top.md", "b/two.py", "b"}), ElementsAre("b/one.txt", "b/two.py", "top.md"));
    EXPECT_THAT(find({"b/*.py"}), ElementsAre("b/two.py"));
    EXPECT_THAT(find({"[ab]"}), ElementsAre("a/deep/er/three.py", "b/one.txt", "b/two.py"));
}

TEST_F(FindSourceFiles, TakesOnlyWhatIsIncludedFromFolders) {
    EXPECT_THAT(find({"a", "b"}, {"*.py"}), ElementsAre("a/deep/er/three.py", "b/two.py"));
    EXPECT_THAT(find({"a", "b"}, {"*.py", "*.txt"}), ElementsAre("a/deep/er/three.py", "b/one.txt", "b/two.py"));
    EXPECT_THAT(find({"a", "b"}, {"deep/*"}), ElementsAre("a/deep/er/three.py"));
    EXPECT_THAT(find({"top.md", "b"}, {"*.py"}), ElementsAre("b/two.py", "top.md"));  // a file named is a file wanted
}

TEST_F(FindSourceFiles, FollowsLinksToFilesNotToFolders) {
    fs::create_symlink(folder_ / "top.md", folder_ / "b/link.md");
    fs::create_directory_symlink(folder_ / "b", folder_ / "b/loop");

    EXPECT_THAT(find({"b"}), ElementsAre("b/link.md", "b/one.txt", "b/two.py"));
}

TEST_F(FindSourceFiles, SaysWhatIsMissing) {
    const auto complaint = [&](const std::string& path, const std::vector<std::string>& include = {}) -> std::string {
        try {
            find({path}, include);
        } catch (const InputError& error) { return error.what(); }
        return "no complaint";
    };
    EXPECT_THAT(complaint("nowhere"), HasSubstr("nowhere: cannot read: No such file or directory"));
    EXPECT_THAT(complaint("*.cpp"), HasSubstr("*.cpp: cannot read: no file matches the pattern"));
    EXPECT_THAT(complaint("b", {"*.cpp"}), HasSubstr("no file found"));
}

}  // namespace
}  // namespace loglog
