#include "experiments/run/checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "db/hdf5/hdf5_file.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

using Part = std::span<float> (Parameters::*)(ParameterId);

struct Group {
    const char* name;
    Part part;
};
const std::array groups{Group{"values", &Parameters::values<float>},
                        Group{"first_moments", &Parameters::first_moment<float>},
                        Group{"second_moments", &Parameters::second_moment<float>}};
constexpr std::size_t values_only = 1;

std::vector<std::int64_t> extents_of(const Shape& shape) {
    std::vector<std::int64_t> extents;
    for (std::size_t axis = 0; axis < shape.rank(); ++axis) { extents.push_back(shape[axis]); }
    return extents;
}

std::string dataset_of(const Group& group, const ParameterSpec& spec) {
    return fmt::format("/{}/{}", group.name, spec.name);
}

void save(const std::filesystem::path& path, Parameters& parameters, const CheckpointLabel& label,
          std::size_t group_count) {
    auto file = Hdf5File::create(path);
    for (std::size_t g = 0; g < group_count; ++g) {
        for (std::size_t p = 0; p < parameters.size(); ++p) {
            const auto& spec = parameters.specs()[p];
            const std::span<const float> values = (parameters.*groups[g].part)(ParameterId{p});
            file.write(dataset_of(groups[g], spec), values, extents_of(spec.shape));
        }
    }
    file.write_attribute("/", "id", label.id);
    file.write_attribute("/", "step", std::to_string(label.step));
    file.write_attribute("/", "tokenizer", label.tokenizer);
    file.publish(Durability::machine);
}

CheckpointLabel load(const std::filesystem::path& path, Parameters& parameters, std::size_t group_count) {
    const auto file = Hdf5File::open(path);
    for (std::size_t g = 0; g < group_count; ++g) {
        for (std::size_t p = 0; p < parameters.size(); ++p) {
            const auto& spec = parameters.specs()[p];
            const auto stored = file.read<float>(dataset_of(groups[g], spec));
            const auto wanted = extents_of(spec.shape);
            if (stored.extents != wanted) {
                throw Error{fmt::format("{}: {} is [{}] but the model's is [{}]; the file belongs to another run",
                                        path.string(), dataset_of(groups[g], spec), fmt::join(stored.extents, ", "),
                                        fmt::join(wanted, ", "))};
            }
            std::copy(stored.values.begin(), stored.values.end(), (parameters.*groups[g].part)(ParameterId{p}).begin());
        }
    }
    return {file.read_attribute("/", "id"), std::stoll(file.read_attribute("/", "step")),
            file.read_attribute("/", "tokenizer")};
}

}  // namespace

void save_checkpoint(const std::filesystem::path& path, Parameters& parameters, const CheckpointLabel& label) {
    save(path, parameters, label, groups.size());
}

CheckpointLabel load_checkpoint(const std::filesystem::path& path, Parameters& parameters) {
    return load(path, parameters, groups.size());
}

void save_weights(const std::filesystem::path& path, Parameters& parameters, const CheckpointLabel& label) {
    save(path, parameters, label, values_only);
}

CheckpointLabel load_weights(const std::filesystem::path& path, Parameters& parameters) {
    return load(path, parameters, values_only);
}

std::filesystem::path checkpoint_file(const std::filesystem::path& run_folder) { return run_folder / "checkpoint.h5"; }
std::filesystem::path weights_file(const std::filesystem::path& run_folder) { return run_folder / "weights.h5"; }

}  // namespace loglog
