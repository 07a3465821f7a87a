#include "db/hdf5/hdf5_file.hpp"

#include <hdf5.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <system_error>
#include <type_traits>
#include <utility>

#include "db/files/publish.hpp"
#include "db/hdf5/hdf5_call.hpp"
#include "engine/base/error.hpp"

namespace loglog {

using namespace hdf5;

static_assert(std::is_same_v<hid_t, detail::Hdf5Traits::Native>);

void detail::Hdf5Traits::close(Native id) noexcept {
    if (H5Iis_valid(id) > 0) { H5Idec_ref(id); }
}

namespace {

herr_t append_reason(unsigned, const H5E_error2_t* entry, void* text) {
    auto& reason = *static_cast<std::string*>(text);
    if (entry->desc != nullptr && *entry->desc != '\0') {
        if (!reason.empty()) { reason += ": "; }
        reason += entry->desc;
    }
    return 0;
}

}  // namespace

std::string hdf5::reason() {
    std::string text;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, append_reason, &text);
    H5Eclear2(H5E_DEFAULT);
    return text.empty() ? "no reason given" : text;
}

template <>
hdf5::Id hdf5::memory_type<float>() {
    return H5T_NATIVE_FLOAT;
}
template <>
hdf5::Id hdf5::memory_type<double>() {
    return H5T_NATIVE_DOUBLE;
}
template <>
hdf5::Id hdf5::memory_type<std::int64_t>() {
    return H5T_NATIVE_INT64;
}

template <>
hdf5::Id hdf5::stored_type<float>() {
    return H5T_IEEE_F32LE;
}
template <>
hdf5::Id hdf5::stored_type<double>() {
    return H5T_IEEE_F64LE;
}
template <>
hdf5::Id hdf5::stored_type<std::int64_t>() {
    return H5T_STD_I64LE;
}

Hdf5Handle hdf5::access_properties(const std::filesystem::path& path) {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // failures are thrown, not printed
    Hdf5Handle properties = own(H5Pcreate(H5P_FILE_ACCESS), path.string() + ": preparing to open");
    check(H5Pset_file_locking(properties.get(), false, true), path.string() + ": turning file locks off");
    // Attributes beyond 64 KiB (a long specification) need the newer object format.
    check(H5Pset_libver_bounds(properties.get(), H5F_LIBVER_V18, H5F_LIBVER_LATEST), path.string() + ": preparing");
    check(H5Pset_fclose_degree(properties.get(), H5F_CLOSE_STRONG), path.string() + ": preparing to close");
    return properties;
}

Hdf5Handle hdf5::link_properties(const std::string& what) {
    Hdf5Handle properties = own(H5Pcreate(H5P_LINK_CREATE), what);
    check(H5Pset_create_intermediate_group(properties.get(), 1), what);
    return properties;
}

namespace {

Hdf5Handle text_type(const std::string& text, const std::string& what) {
    Hdf5Handle type = own(H5Tcopy(H5T_C_S1), what);
    check(H5Tset_size(type.get(), std::max<std::size_t>(text.size(), 1)), what);
    check(H5Tset_cset(type.get(), H5T_CSET_UTF8), what);
    check(H5Tset_strpad(type.get(), H5T_STR_NULLPAD), what);
    return type;
}

constexpr std::int64_t compress_from = 1024;  ///< values; below, the filter's own tables outweigh the gain

Hdf5Handle layout_properties(std::span<const hsize_t> extents, std::int64_t count, const std::string& what) {
    Hdf5Handle properties = own(H5Pcreate(H5P_DATASET_CREATE), what);
    if (count >= compress_from && H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0) {
        std::vector<hsize_t> chunk(extents.begin(), extents.end());
        const hsize_t row = static_cast<hsize_t>(count) / chunk[0];
        constexpr hsize_t chunk_values = 1 << 14;
        chunk[0] = std::min(chunk[0], std::max<hsize_t>(1, chunk_values / row));
        check(H5Pset_chunk(properties.get(), static_cast<int>(chunk.size()), chunk.data()), what);
        check(H5Pset_shuffle(properties.get()), what);
        check(H5Pset_deflate(properties.get(), 1), what);
    }
    return properties;
}

}  // namespace

std::string hdf5_version() {
    unsigned major = 0, minor = 0, release = 0;
    check(H5get_libversion(&major, &minor, &release), "asking for HDF5's version");
    return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(release);
}

Hdf5File::Hdf5File(std::filesystem::path path, Hdf5Handle file, bool partial)
    : path_{std::move(path)}, file_{std::move(file)}, partial_{partial} {}

Hdf5File::Hdf5File(Hdf5File&& other) noexcept
    : path_{std::move(other.path_)},
      file_{std::move(other.file_)},
      partial_{std::exchange(other.partial_, false)},
      set_aside_{other.set_aside_},
      parallel_{std::exchange(other.parallel_, std::nullopt)} {}

Hdf5File& Hdf5File::operator=(Hdf5File&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(file_, other.file_);
    std::swap(partial_, other.partial_);
    std::swap(set_aside_, other.set_aside_);
    std::swap(parallel_, other.parallel_);
    return *this;
}

Hdf5File::~Hdf5File() {
    if (!partial_) { return; }
    if (parallel_) {
        file_.release();  // closing is collective, and the other ranks may be elsewhere
        if (parallel_->rank != 0) { return; }
    }
    discard();
}

void Hdf5File::discard() noexcept {
    file_ = Hdf5Handle{};
    partial_ = false;
    if (parallel_ && parallel_->rank != 0) { return; }
    std::error_code ignored;
    std::filesystem::remove(partial_path(path_), ignored);
}

Hdf5File Hdf5File::create(const std::filesystem::path& path) {
    const auto partial = partial_path(path);
    const Hdf5Handle properties = access_properties(partial);
    Hdf5Handle file =
        own(H5Fcreate(partial.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, properties.get()), partial.string() + ": creating");
    return {path, std::move(file), true};
}

Hdf5File Hdf5File::open(const std::filesystem::path& path) {
    const Hdf5Handle properties = access_properties(path);
    Hdf5Handle file{H5Fopen(path.c_str(), H5F_ACC_RDONLY, properties.get())};
    if (!file) { throw InputError{path.string() + ": cannot be read as HDF5: " + reason()}; }
    return {path, std::move(file), false};
}

std::string Hdf5File::describe(const std::string& dataset) const { return path_.string() + ":" + dataset; }

template <class T>
void Hdf5File::write(const std::string& dataset, std::span<const T> values, std::span<const std::int64_t> extents) {
    const std::string what = describe(dataset) + ": writing";
    const auto count = std::accumulate(extents.begin(), extents.end(), std::int64_t{1}, std::multiplies<>{});
    if (extents.empty() || count != static_cast<std::int64_t>(values.size())) {
        throw Error{what + " failed: " + std::to_string(values.size()) + " values do not fill its extents"};
    }
    const std::vector<hsize_t> sizes(extents.begin(), extents.end());
    const Hdf5Handle space = own(H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr), what);
    const Hdf5Handle links = link_properties(what);
    const Hdf5Handle layout = layout_properties(sizes, count, what);
    const Hdf5Handle set = own(
        H5Dcreate2(file_.get(), dataset.c_str(), stored_type<T>(), space.get(), links.get(), layout.get(), H5P_DEFAULT),
        what);
    if (count > 0) { check(H5Dwrite(set.get(), memory_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), what); }
}

void Hdf5File::write_attribute(const std::string& object, const std::string& name, const std::string& text) {
    const std::string what = describe(object) + ": writing attribute '" + name + "'";
    const Hdf5Handle type = text_type(text, what);
    const Hdf5Handle space = own(H5Screate(H5S_SCALAR), what);
    const Hdf5Handle owner = own(H5Oopen(file_.get(), object.c_str(), H5P_DEFAULT), what);
    const Hdf5Handle attribute =
        own(H5Acreate2(owner.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), what);
    check(H5Awrite(attribute.get(), type.get(), text.data()), what);
}

bool Hdf5File::contains(const std::string& dataset) const {
    for (std::size_t end = dataset.find('/', 1);; end = dataset.find('/', end + 1)) {
        if (H5Lexists(file_.get(), dataset.substr(0, end).c_str(), H5P_DEFAULT) <= 0) {
            H5Eclear2(H5E_DEFAULT);
            return false;
        }
        if (end == std::string::npos) { return true; }
    }
}

template <class T>
Hdf5Array<T> Hdf5File::read(const std::string& dataset) const {
    const std::string what = describe(dataset) + ": reading";
    const Hdf5Handle set = own(H5Dopen2(file_.get(), dataset.c_str(), H5P_DEFAULT), what);
    const Hdf5Handle space = own(H5Dget_space(set.get()), what);
    std::vector<hsize_t> sizes(static_cast<std::size_t>(check(H5Sget_simple_extent_ndims(space.get()), what)));
    check(H5Sget_simple_extent_dims(space.get(), sizes.data(), nullptr), what);
    Hdf5Array<T> array;
    array.extents.assign(sizes.begin(), sizes.end());
    array.values.resize(static_cast<std::size_t>(check(H5Sget_simple_extent_npoints(space.get()), what)));
    check(H5Dread(set.get(), memory_type<T>(), H5S_ALL, H5S_ALL, H5P_DEFAULT, array.values.data()), what);
    return array;
}

std::string Hdf5File::read_attribute(const std::string& object, const std::string& name) const {
    const std::string what = describe(object) + ": reading attribute '" + name + "'";
    const Hdf5Handle attribute =
        own(H5Aopen_by_name(file_.get(), object.c_str(), name.c_str(), H5P_DEFAULT, H5P_DEFAULT), what);
    const Hdf5Handle type = own(H5Aget_type(attribute.get()), what);
    std::string text(H5Tget_size(type.get()), '\0');
    check(H5Aread(attribute.get(), type.get(), text.data()), what);
    text.erase(std::find(text.begin(), text.end(), '\0'), text.end());
    return text;
}

void Hdf5File::publish(Durability durability) {
    together([&] {
        check(H5Fflush(file_.get(), H5F_SCOPE_GLOBAL), path_.string() + ": flushing");
        check(H5Fclose(file_.release()), path_.string() + ": closing");
    });
    // What a rank wrote may still be in its own host's memory.
    together([&] {
        if (parallel_ && durability == Durability::machine) { sync_to_disk(partial_path(path_)); }
    });
    together([&] {
        if (parallel_ && parallel_->rank != 0) { return; }
        const auto partial = partial_path(path_);
        if (set_aside_) { std::filesystem::resize_file(partial, std::filesystem::file_size(partial)); }
        loglog::publish(path_, durability);
    });
    partial_ = false;
}

template void Hdf5File::write(const std::string&, std::span<const float>, std::span<const std::int64_t>);
template void Hdf5File::write(const std::string&, std::span<const double>, std::span<const std::int64_t>);
template void Hdf5File::write(const std::string&, std::span<const std::int64_t>, std::span<const std::int64_t>);
template Hdf5Array<float> Hdf5File::read(const std::string&) const;
template Hdf5Array<double> Hdf5File::read(const std::string&) const;
template Hdf5Array<std::int64_t> Hdf5File::read(const std::string&) const;

}  // namespace loglog
