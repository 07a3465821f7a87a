#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "db/files/publish.hpp"
#include "engine/base/unique_handle.hpp"

namespace loglog {

namespace detail {
struct Hdf5Traits {
    using Native = std::int64_t;  // hid_t; hdf5.h stays out of headers, since it pulls in mpi.h
    static Native null() noexcept { return -1; }
    static void close(Native id) noexcept;
};
}  // namespace detail

/// Owner of any HDF5 identifier.
using Hdf5Handle = UniqueHandle<detail::Hdf5Traits>;

/// An array read from a file: `values` in row-major order, one extent per dimension.
template <class T>
struct Hdf5Array {
    std::vector<T> values;
    std::vector<std::int64_t> extents;
};

/// "1.10.8"
std::string hdf5_version();

/// The ranks that write one file together.
struct ParallelAccess {
    int fortran_handle = 0;  ///< of their communicator (MPI_Comm_c2f), which must outlive the file
};

/// Neighbouring rows of a dataset, or a part of their columns. A dataset with one dimension has rows of one column, one
/// with more than two has rows of all their values.
struct Hyperslab {
    std::int64_t row = 0;
    std::int64_t column = 0;
    std::int64_t rows = 0;
    std::int64_t columns = 1;
};

/// An HDF5 file used by one process, or written by several. T is float, double or std::int64_t throughout.
///
/// A new file is written as NAME.partial and becomes NAME only by publish(), so that NAME is always whole. HDF5's own
/// file locks are off: they fail on Lustre and guard against nothing here. Works with or without MPI being initialised.
/// Every failure throws Error naming file, dataset and HDF5's reason.
///
/// A file made by create_parallel() is written by several ranks: all of them create the same datasets and attributes in
/// the same order and publish; in between each writes blocks of its own. What can fail on one rank alone is done inside
/// together(), so that no rank waits for one that failed. A file that some rank could not write is removed.
class Hdf5File {
  public:
    /// Starts PATH.partial, replacing what an earlier attempt left.
    static Hdf5File create(const std::filesystem::path& path);
    /// Starts PATH.partial for several ranks, each of which calls this with the same path on a file system that their
    /// hosts share.
    static Hdf5File create_parallel(const std::filesystem::path& path, const ParallelAccess& access);
    /// Opens for reading. Throws InputError if there is no such file or it is not HDF5.
    static Hdf5File open(const std::filesystem::path& path);

    Hdf5File(Hdf5File&& other) noexcept;
    Hdf5File& operator=(Hdf5File&& other) noexcept;
    /// Removes the .partial file of one never published. One written by several ranks stays open, which only matters
    /// where a rank left without the others' knowing (see together()).
    ~Hdf5File();

    /// Writes a dataset such as "/train/loss", making its groups. The extents' product must be values.size().
    template <class T>
    void write(const std::string& dataset, std::span<const T> values, std::span<const std::int64_t> extents);
    template <class T>
    void write(const std::string& dataset, std::span<const T> values) {
        const std::int64_t extent = static_cast<std::int64_t>(values.size());
        write(dataset, values, std::span{&extent, 1});
    }
    /// Sets disk space aside for what will be written, where the file system can: a full disk is then noticed before
    /// HDF5, which does not recover from it, is in the middle of something. What is left over goes back at the end.
    void set_aside(std::int64_t bytes);
    /// Makes a dataset to be filled by write_block(): without compression, all of its place on the disk taken.
    template <class T>
    void create_dataset(const std::string& dataset, std::span<const std::int64_t> extents);
    /// Writes `values` ([rows, columns]) into a part of a dataset. Not collective.
    template <class T>
    void write_block(const std::string& dataset, const Hyperslab& place, std::span<const T> values);
    /// Runs `work` on every rank; where it throws on some, all throw Error with the message of the lowest such rank and
    /// the file is gone. Just runs it for a file of one process.
    void together(const std::function<void()>& work);
    /// Sets a text attribute of a dataset or group ("/" for the file).
    void write_attribute(const std::string& object, const std::string& name, const std::string& text);

    bool contains(const std::string& dataset) const;
    /// Converts from the stored number type. Throws Error if the dataset is missing.
    template <class T>
    Hdf5Array<T> read(const std::string& dataset) const;
    /// Reads a part of a dataset into `values` ([rows, columns]).
    template <class T>
    void read_block(const std::string& dataset, const Hyperslab& place, std::span<T> values) const;
    /// One per dimension.
    std::vector<std::int64_t> extents(const std::string& dataset) const;
    std::string read_attribute(const std::string& object, const std::string& name) const;

    /// Closes the file and renames it to its real name.
    void publish(Durability durability);

  private:
    Hdf5File(std::filesystem::path path, Hdf5Handle file, bool partial);
    std::string describe(const std::string& dataset) const;
    void discard() noexcept;

    struct Parallel {
        int fortran_handle;
        int rank;
    };

    std::filesystem::path path_;
    Hdf5Handle file_;
    bool partial_;
    bool set_aside_ = false;
    std::optional<Parallel> parallel_ = {};
};

}  // namespace loglog
