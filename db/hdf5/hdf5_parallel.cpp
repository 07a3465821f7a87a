#include <fcntl.h>
#include <hdf5.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "db/hdf5/hdf5_call.hpp"
#include "db/hdf5/hdf5_file.hpp"
#include "engine/base/error.hpp"

namespace loglog {

using namespace hdf5;

namespace {

Hdf5Handle parallel_access_properties(const std::filesystem::path& path, MPI_Comm comm) {
    Hdf5Handle properties = access_properties(path);
    const std::string what = path.string() + ": preparing to write with several ranks";
    check(H5Pset_fapl_mpio(properties.get(), comm, MPI_INFO_NULL), what);
    // Rank 0 writes what describes the data: a rank whose own writing failed is then no part of closing the file.
    H5AC_cache_config_t cache{};
    cache.version = H5AC__CURR_CACHE_CONFIG_VERSION;
    check(H5Pget_mdc_config(properties.get(), &cache), what);
    cache.metadata_write_strategy = H5AC_METADATA_WRITE_STRATEGY__PROCESS_0_ONLY;
    check(H5Pset_mdc_config(properties.get(), &cache), what);
    return properties;
}

/// A dataset's dataspace with the hyperslab selected.
Hdf5Handle select(Id dataset, const Hyperslab& place, std::size_t value_count, const std::string& what) {
    Hdf5Handle space = own(H5Dget_space(dataset), what);
    std::vector<hsize_t> sizes(static_cast<std::size_t>(check(H5Sget_simple_extent_ndims(space.get()), what)));
    check(H5Sget_simple_extent_dims(space.get(), sizes.data(), nullptr), what);
    hsize_t row_values = 1;
    for (std::size_t axis = 1; axis < sizes.size(); ++axis) { row_values *= sizes[axis]; }
    const bool has_columns = sizes.size() == 2;
    const bool inside = !sizes.empty() && place.row >= 0 && place.rows >= 0 && place.column >= 0 &&
                        place.columns >= 0 && static_cast<hsize_t>(place.row + place.rows) <= sizes[0] &&
                        static_cast<hsize_t>(place.column + place.columns) <= row_values &&
                        (has_columns || static_cast<hsize_t>(place.columns) == row_values);
    if (!inside || static_cast<std::size_t>(place.rows * place.columns) != value_count) {
        throw Error{what + " failed: " + std::to_string(value_count) + " values do not fill rows " +
                    std::to_string(place.row) + " to " + std::to_string(place.row + place.rows) + ", columns " +
                    std::to_string(place.column) + " to " + std::to_string(place.column + place.columns) +
                    " of the dataset"};
    }
    std::vector<hsize_t> start(sizes.size(), 0);
    std::vector<hsize_t> count = sizes;
    start[0] = static_cast<hsize_t>(place.row);
    count[0] = static_cast<hsize_t>(place.rows);
    if (has_columns) {
        start[1] = static_cast<hsize_t>(place.column);
        count[1] = static_cast<hsize_t>(place.columns);
    }
    check(H5Sselect_hyperslab(space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr), what);
    return space;
}

Hdf5Handle memory_space(std::size_t values, const std::string& what) {
    const hsize_t size = values;
    return own(H5Screate_simple(1, &size, nullptr), what);
}

/// What the lowest rank with a failure says, the same on all ranks; empty if none has one.
std::string first_failure(MPI_Comm comm, int rank, const std::string& failure) {
    int teller = failure.empty() ? std::numeric_limits<int>::max() : rank;
    MPI_Allreduce(MPI_IN_PLACE, &teller, 1, MPI_INT, MPI_MIN, comm);
    if (teller == std::numeric_limits<int>::max()) { return {}; }
    std::array<char, 1024> text{};
    failure.copy(text.data(), text.size() - 1);
    MPI_Bcast(text.data(), static_cast<int>(text.size()), MPI_CHAR, teller, comm);
    return text.data();
}

}  // namespace

Hdf5File Hdf5File::create_parallel(const std::filesystem::path& path, const ParallelAccess& access) {
    const MPI_Comm comm = MPI_Comm_f2c(access.fortran_handle);
    const auto partial = partial_path(path);
    Hdf5File file{path, Hdf5Handle{}, true};
    file.parallel_ = Parallel{access.fortran_handle, 0};
    MPI_Comm_rank(comm, &file.parallel_->rank);

    // HDF5 would wait forever for a rank that cannot open the file, so see first whether all can.
    file.together([&] {
        if (file.parallel_->rank != 0) { return; }
        const int descriptor = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (descriptor < 0) { throw Error{system_failure(partial, "creating", errno)}; }
        ::close(descriptor);
    });
    file.together([&] {
        if (::access(partial.c_str(), R_OK | W_OK) != 0) {
            throw Error{system_failure(partial, "opening", errno) +
                        "; the folder must lie on a file system that all hosts of the run share"};
        }
    });
    file.together([&] {
        const Hdf5Handle properties = parallel_access_properties(partial, comm);
        file.file_ = own(H5Fcreate(partial.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, properties.get()),
                         partial.string() + ": creating");
    });
    return file;
}

void Hdf5File::set_aside(std::int64_t bytes) {
    together([&] {
        if (parallel_ && parallel_->rank != 0) { return; }
        const auto partial = partial_path(path_);
        const int descriptor = ::open(partial.c_str(), O_WRONLY | O_CLOEXEC);
        if (descriptor < 0) { throw Error{system_failure(partial, "opening", errno)}; }
        const int failure = ::fallocate(descriptor, FALLOC_FL_KEEP_SIZE, 0, bytes) == 0 ? 0 : errno;
        ::close(descriptor);
        // Other failures are those of file systems that cannot.
        if (failure == ENOSPC || failure == EDQUOT) { throw Error{system_failure(partial, "growing", failure)}; }
        set_aside_ = true;
    });
}

void Hdf5File::together(const std::function<void()>& work) {
    if (!parallel_) {
        work();
        return;
    }
    std::string failure;
    try {
        work();
    } catch (const std::exception& error) {
        failure = *error.what() != '\0' ? error.what() : "a failure without a message";
    }
    const auto first = first_failure(MPI_Comm_f2c(parallel_->fortran_handle), parallel_->rank, failure);
    if (first.empty()) { return; }
    discard();
    throw Error{first};
}

template <class T>
void Hdf5File::create_dataset(const std::string& dataset, std::span<const std::int64_t> extents) {
    const std::string what = describe(dataset) + ": creating";
    const std::vector<hsize_t> sizes(extents.begin(), extents.end());
    const Hdf5Handle space = own(H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr), what);
    const Hdf5Handle links = link_properties(what);
    const Hdf5Handle layout = own(H5Pcreate(H5P_DATASET_CREATE), what);
    check(H5Pset_alloc_time(layout.get(), H5D_ALLOC_TIME_EARLY), what);
    check(H5Pset_fill_time(layout.get(), H5D_FILL_TIME_NEVER), what);
    own(H5Dcreate2(file_.get(), dataset.c_str(), stored_type<T>(), space.get(), links.get(), layout.get(), H5P_DEFAULT),
        what);
}

template <class T>
void Hdf5File::write_block(const std::string& dataset, const Hyperslab& place, std::span<const T> values) {
    const std::string what = describe(dataset) + ": writing";
    const Hdf5Handle set = own(H5Dopen2(file_.get(), dataset.c_str(), H5P_DEFAULT), what);
    const Hdf5Handle stored = select(set.get(), place, values.size(), what);
    if (values.empty()) { return; }
    const Hdf5Handle memory = memory_space(values.size(), what);
    check(H5Dwrite(set.get(), memory_type<T>(), memory.get(), stored.get(), H5P_DEFAULT, values.data()), what);
}

template <class T>
void Hdf5File::read_block(const std::string& dataset, const Hyperslab& place, std::span<T> values) const {
    const std::string what = describe(dataset) + ": reading";
    const Hdf5Handle set = own(H5Dopen2(file_.get(), dataset.c_str(), H5P_DEFAULT), what);
    const Hdf5Handle stored = select(set.get(), place, values.size(), what);
    if (values.empty()) { return; }
    const Hdf5Handle memory = memory_space(values.size(), what);
    check(H5Dread(set.get(), memory_type<T>(), memory.get(), stored.get(), H5P_DEFAULT, values.data()), what);
}

std::vector<std::int64_t> Hdf5File::extents(const std::string& dataset) const {
    const std::string what = describe(dataset) + ": reading its extents";
    const Hdf5Handle set = own(H5Dopen2(file_.get(), dataset.c_str(), H5P_DEFAULT), what);
    const Hdf5Handle space = own(H5Dget_space(set.get()), what);
    std::vector<hsize_t> sizes(static_cast<std::size_t>(check(H5Sget_simple_extent_ndims(space.get()), what)));
    check(H5Sget_simple_extent_dims(space.get(), sizes.data(), nullptr), what);
    return {sizes.begin(), sizes.end()};
}

template void Hdf5File::create_dataset<float>(const std::string&, std::span<const std::int64_t>);
template void Hdf5File::create_dataset<double>(const std::string&, std::span<const std::int64_t>);
template void Hdf5File::create_dataset<std::int64_t>(const std::string&, std::span<const std::int64_t>);
template void Hdf5File::write_block(const std::string&, const Hyperslab&, std::span<const float>);
template void Hdf5File::write_block(const std::string&, const Hyperslab&, std::span<const double>);
template void Hdf5File::write_block(const std::string&, const Hyperslab&, std::span<const std::int64_t>);
template void Hdf5File::read_block(const std::string&, const Hyperslab&, std::span<float>) const;
template void Hdf5File::read_block(const std::string&, const Hyperslab&, std::span<double>) const;
template void Hdf5File::read_block(const std::string&, const Hyperslab&, std::span<std::int64_t>) const;

}  // namespace loglog
