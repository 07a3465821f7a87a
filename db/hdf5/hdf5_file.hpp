#pragma once

#include <cstdint>
#include <filesystem>
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

/// An HDF5 file used by one process. T is float, double or std::int64_t throughout.
///
/// A new file is written as NAME.partial and becomes NAME only by publish(), so that NAME is always whole. HDF5's own
/// file locks are off: they fail on Lustre and guard against nothing here. Works with or without MPI being initialised.
/// Every failure throws Error naming file, dataset and HDF5's reason.
class Hdf5File {
  public:
    /// Starts PATH.partial, replacing what an earlier attempt left.
    static Hdf5File create(const std::filesystem::path& path);
    /// Opens for reading. Throws InputError if there is no such file or it is not HDF5.
    static Hdf5File open(const std::filesystem::path& path);

    Hdf5File(Hdf5File&& other) noexcept;
    Hdf5File& operator=(Hdf5File&& other) noexcept;
    /// Removes the .partial file of one never published.
    ~Hdf5File();

    /// Writes a dataset such as "/train/loss", making its groups. The extents' product must be values.size().
    template <class T>
    void write(const std::string& dataset, std::span<const T> values, std::span<const std::int64_t> extents);
    template <class T>
    void write(const std::string& dataset, std::span<const T> values) {
        const std::int64_t extent = static_cast<std::int64_t>(values.size());
        write(dataset, values, std::span{&extent, 1});
    }
    /// Sets a text attribute of a dataset or group ("/" for the file).
    void write_attribute(const std::string& object, const std::string& name, const std::string& text);

    bool contains(const std::string& dataset) const;
    /// Converts from the stored number type. Throws Error if the dataset is missing.
    template <class T>
    Hdf5Array<T> read(const std::string& dataset) const;
    std::string read_attribute(const std::string& object, const std::string& name) const;

    /// Closes the file and renames it to its real name.
    void publish(Durability durability);

  private:
    Hdf5File(std::filesystem::path path, Hdf5Handle file, bool partial);
    std::string describe(const std::string& dataset) const;

    std::filesystem::path path_;
    Hdf5Handle file_;
    bool partial_;
};

}  // namespace loglog
