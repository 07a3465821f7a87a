#include "db/hdf5/hdf5_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <type_traits>

#include "db/files/publish.hpp"
#include "engine/base/error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace loglog {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

static_assert(!std::is_copy_constructible_v<Hdf5Handle> && std::is_nothrow_move_constructible_v<Hdf5Handle>);
static_assert(!std::is_copy_constructible_v<Hdf5File> && std::is_nothrow_move_constructible_v<Hdf5File>);

template <class T>
std::vector<T> round_trip(const std::vector<T>& values, const std::vector<std::int64_t>& extents) {
    const TemporaryFolder folder;
    Hdf5File file = Hdf5File::create(folder / "a.h5");
    file.write("/group/values", std::span<const T>{values}, std::span<const std::int64_t>{extents});
    file.publish(Durability::process);

    const auto array = Hdf5File::open(folder / "a.h5").read<T>("/group/values");

    EXPECT_EQ(array.extents, extents);
    return array.values;
}

TEST(Hdf5File, GivesBackNumbersBitForBit) {
    const std::vector<double> doubles{0.1, -0.0, 1e-320, std::numeric_limits<double>::max(), 1.0 / 3.0};
    const auto doubles_back = round_trip(doubles, {5});
    EXPECT_EQ(std::memcmp(doubles_back.data(), doubles.data(), sizeof(double) * 5), 0);

    EXPECT_EQ(round_trip<float>({0.1f, -3e38f}, {2}), (std::vector<float>{0.1f, -3e38f}));
    EXPECT_EQ(round_trip<std::int64_t>({INT64_MIN, 0, INT64_MAX, 7}, {2, 2}),
              (std::vector<std::int64_t>{INT64_MIN, 0, INT64_MAX, 7}));
    EXPECT_TRUE(std::isnan(round_trip<double>({std::nan("")}, {1})[0]));
}

TEST(Hdf5File, StoresEmptyArrays) {
    EXPECT_TRUE(round_trip<double>({}, {0}).empty());
    EXPECT_TRUE(round_trip<double>({}, {3, 0}).empty());
}

TEST(Hdf5File, StoresArraysLargeEnoughToBeCompressed) {
    std::vector<std::int64_t> steps(70'001);
    std::iota(steps.begin(), steps.end(), 1);
    EXPECT_EQ(round_trip(steps, {70'001}), steps);

    std::vector<double> rows(3 * 30'000);
    std::iota(rows.begin(), rows.end(), 0.5);
    EXPECT_EQ(round_trip(rows, {3, 30'000}), rows);
}

TEST(Hdf5File, KeepsTextAttributesOfAnyLength) {
    const TemporaryFolder folder;
    const std::string specification(100'000, 's');
    const std::vector<double> values{1};
    Hdf5File file = Hdf5File::create(folder / "a.h5");
    file.write("/x", std::span<const double>{values});
    file.write_attribute("/x", "units", "nats per token");
    file.write_attribute("/", "spec", specification);
    file.write_attribute("/", "empty", "");
    file.publish(Durability::process);

    const Hdf5File back = Hdf5File::open(folder / "a.h5");

    EXPECT_EQ(back.read_attribute("/x", "units"), "nats per token");
    EXPECT_EQ(back.read_attribute("/", "spec"), specification);
    EXPECT_EQ(back.read_attribute("/", "empty"), "");
}

TEST(Hdf5File, IsInvisibleUntilPublished) {
    const TemporaryFolder folder;
    {
        Hdf5File file = Hdf5File::create(folder / "a.h5");
        EXPECT_FALSE(std::filesystem::exists(folder / "a.h5"));
        EXPECT_TRUE(std::filesystem::exists(folder / "a.h5.partial"));
    }
    EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << "an abandoned file is removed";
}

TEST(Hdf5File, KeepsThePublishedFileWhenAnotherAttemptIsAbandoned) {
    const TemporaryFolder folder;
    const std::vector<double> old{42};
    Hdf5File first = Hdf5File::create(folder / "a.h5");
    first.write("/x", std::span<const double>{old});
    first.publish(Durability::process);

    { Hdf5File second = Hdf5File::create(folder / "a.h5"); }

    EXPECT_THAT(Hdf5File::open(folder / "a.h5").read<double>("/x").values, ElementsAre(42.0));
}

TEST(Hdf5File, CanBeReadWhileItsReplacementIsWritten) {
    const TemporaryFolder folder;
    const std::vector<double> values{1};
    Hdf5File first = Hdf5File::create(folder / "a.h5");
    first.write("/x", std::span<const double>{values});
    first.publish(Durability::process);
    const Hdf5File reader = Hdf5File::open(folder / "a.h5");

    Hdf5File second = Hdf5File::create(folder / "a.h5");
    second.publish(Durability::process);

    EXPECT_TRUE(reader.contains("/x"));
    EXPECT_FALSE(Hdf5File::open(folder / "a.h5").contains("/x"));
    EXPECT_FALSE(reader.contains("/no/such/x"));
}

std::string message_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) { return error.what(); }
    return "nothing was thrown";
}

TEST(Hdf5File, NamesFileAndDatasetWhenSomethingIsMissing) {
    const TemporaryFolder folder;
    Hdf5File::create(folder / "a.h5").publish(Durability::process);
    const Hdf5File file = Hdf5File::open(folder / "a.h5");

    EXPECT_THAT(message_of([&] { file.read<double>("/train/loss"); }), HasSubstr("a.h5:/train/loss: reading failed"));
    EXPECT_THAT(message_of([&] { file.read_attribute("/", "id"); }), HasSubstr("attribute 'id'"));
    EXPECT_THAT(message_of([&] { Hdf5File::open(folder / "absent.h5"); }), HasSubstr("absent.h5"));
    EXPECT_THAT(message_of([&] { Hdf5File::create(folder / "no/folder/a.h5"); }), HasSubstr("no/folder/a.h5"));
}

TEST(Hdf5File, RefusesAFileThatIsNotHdf5OrCutShort) {
    const TemporaryFolder folder;
    write_file(folder / "text.h5", "not HDF5 at all", Durability::process);
    const std::vector<double> values(5000, 1.5);
    Hdf5File file = Hdf5File::create(folder / "cut.h5");
    file.write("/x", std::span<const double>{values});
    file.publish(Durability::process);
    std::filesystem::resize_file(folder / "cut.h5", 300);

    EXPECT_THROW(Hdf5File::open(folder / "text.h5"), InputError);
    EXPECT_THROW(Hdf5File::open(folder / "cut.h5"), InputError);
}

TEST(Hdf5File, RefusesExtentsThatTheValuesDoNotFill) {
    const TemporaryFolder folder;
    Hdf5File file = Hdf5File::create(folder / "a.h5");
    const std::vector<double> values(5);
    const std::int64_t extents[] = {2, 3};

    EXPECT_THROW(file.write("/x", std::span<const double>{values}, std::span<const std::int64_t>{extents}), Error);
}

}  // namespace
}  // namespace loglog
