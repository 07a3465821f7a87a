#include "experiments/run/checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>

#include "db/hdf5/hdf5_file.hpp"
#include "distributed/mpi/communicator.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

namespace fs = std::filesystem;

enum class Part : std::uint8_t { values, first_moments, second_moments };

const char* name_of(Part part) {
    switch (part) {
        case Part::values:
            return "values";
        case Part::first_moments:
            return "first_moments";
        case Part::second_moments:
            return "second_moments";
    }
    return "";
}

constexpr std::array all_parts{Part::values, Part::first_moments, Part::second_moments};
using Parts = std::span<const Part>;
const Parts everything{all_parts};
const Parts values_only = everything.first(1);

enum class Direction : std::uint8_t { save, load };

/// A part of a dataset and where this rank keeps it.
struct Block {
    Hyperslab place;
    std::span<float> memory;
};

bool is_alone(const ShardedState& state) { return state.run == nullptr || state.run->size() == 1; }

std::vector<std::int64_t> extents_of(const Shape& shape) {
    std::vector<std::int64_t> extents;
    for (std::size_t axis = 0; axis < shape.rank(); ++axis) { extents.push_back(shape[axis]); }
    return extents;
}

std::string dataset_of(Part part, const ParameterSpec& spec) { return fmt::format("/{}/{}", name_of(part), spec.name); }

/// The rows that a segment and the local rows [first, first + rows) at `memory` have in common.
std::optional<Block> overlap(const Segment& segment, std::int64_t first, std::int64_t rows, std::span<float> memory) {
    const auto begin = std::max(segment.local_row, first);
    const auto end = std::min(segment.local_row + segment.rows, first + rows);
    if (begin >= end) { return std::nullopt; }
    const auto offset = static_cast<std::size_t>((begin - first) * segment.columns);
    const auto size = static_cast<std::size_t>((end - begin) * segment.columns);
    return Block{{.row = segment.global_row + begin - segment.local_row,
                  .column = segment.global_column,
                  .rows = end - begin,
                  .columns = segment.columns},
                 memory.subspan(offset, size)};
}

/// What this rank reads of a parameter, or what of it falls to this rank to write.
std::vector<Block> blocks_of(const ShardedState& state, Part part, ParameterId id, Direction direction) {
    std::vector<Block> blocks;
    const bool writes = part == Part::values ? state.writes_values : state.writes_moments;
    if (direction == Direction::save && !writes) { return blocks; }
    const auto add = [&](std::int64_t first, std::int64_t rows, std::span<float> memory) {
        for (const Segment& segment : state.parameters.segments(id)) {
            if (direction == Direction::save && !segment.owned) { continue; }
            if (const auto block = overlap(segment, first, rows, memory)) { blocks.push_back(*block); }
        }
    };
    if (part == Part::values) {
        const auto& shape = state.parameters.local_shape(id);
        if (shape.elements() > 0) { add(0, shape[0], state.parameters.values<float>(id)); }
        return blocks;
    }
    for (const StatePiece& piece : state.pieces) {
        if (piece.parameter != id) { continue; }
        add(piece.first_row, piece.rows, part == Part::first_moments ? piece.first_moment : piece.second_moment);
    }
    return blocks;
}

void for_each_dataset(const ShardedState& state, Parts parts, const std::function<void(Part, ParameterId)>& work) {
    for (const Part part : parts) {
        for (std::size_t index = 0; index < state.parameters.size(); ++index) { work(part, ParameterId{index}); }
    }
}

/// Copies rows of a block between its memory and a whole parameter's.
void copy_to_whole(const Block& block, std::span<float> whole, std::int64_t whole_columns) {
    for (std::int64_t row = 0; row < block.place.rows; ++row) {
        const auto from = block.memory.subspan(static_cast<std::size_t>(row * block.place.columns),
                                               static_cast<std::size_t>(block.place.columns));
        const auto to = (block.place.row + row) * whole_columns + block.place.column;
        std::ranges::copy(from, whole.begin() + to);
    }
}

/// Of one process, compressed: a parameter that is cut into leaves is put together first.
void write_alone(Hdf5File& file, const ShardedState& state, Parts parts) {
    std::vector<float> whole;
    for_each_dataset(state, parts, [&](Part part, ParameterId id) {
        const auto& spec = state.parameters.spec(id);
        const auto blocks = blocks_of(state, part, id, Direction::save);
        const auto extents = extents_of(spec.shape);
        std::size_t values = 0;
        for (const Block& block : blocks) { values += block.memory.size(); }
        if (values != static_cast<std::size_t>(spec.shape.elements())) {
            throw Error{fmt::format("{} is not all here: {} of {} values", dataset_of(part, spec), values,
                                    spec.shape.elements())};
        }
        std::span<const float> contents;
        if (blocks.size() == 1) {
            contents = blocks.front().memory;
        } else {
            whole.assign(values, 0.0f);
            for (const Block& block : blocks) { copy_to_whole(block, whole, spec.shape.elements() / extents[0]); }
            contents = whole;
        }
        file.write(dataset_of(part, spec), contents, std::span<const std::int64_t>{extents});
    });
}

std::int64_t expected_bytes(const ShardedState& state, Parts parts) {
    constexpr std::int64_t per_dataset = 4096;  // names, types and extents, generously
    std::int64_t bytes = 1 << 20;
    for_each_dataset(state, parts, [&](Part, ParameterId id) {
        bytes += per_dataset + state.parameters.spec(id).shape.elements() * static_cast<std::int64_t>(sizeof(float));
    });
    return bytes;
}

void write_together(Hdf5File& file, const ShardedState& state, Parts parts) {
    file.together([&] {
        for_each_dataset(state, parts, [&](Part part, ParameterId id) {
            const auto& spec = state.parameters.spec(id);
            file.create_dataset<float>(dataset_of(part, spec), extents_of(spec.shape));
        });
    });
    file.together([&] {
        for_each_dataset(state, parts, [&](Part part, ParameterId id) {
            for (const Block& block : blocks_of(state, part, id, Direction::save)) {
                file.write_block(dataset_of(part, state.parameters.spec(id)), block.place,
                                 std::span<const float>{block.memory});
            }
        });
    });
}

void save(const fs::path& path, const ShardedState& state, const CheckpointLabel& label, Parts parts) {
    auto file =
        is_alone(state) ? Hdf5File::create(path) : Hdf5File::create_parallel(path, {state.run->fortran_handle()});
    file.set_aside(expected_bytes(state, parts));
    if (is_alone(state)) {
        write_alone(file, state, parts);
    } else {
        write_together(file, state, parts);
    }
    file.together([&] {  // last: a file without a step is no checkpoint
        file.write_attribute("/", "id", label.id);
        file.write_attribute("/", "step", std::to_string(label.step));
        file.write_attribute("/", "tokenizer", label.tokenizer);
    });
    file.publish(Durability::machine);
}

CheckpointLabel load(const fs::path& path, const ShardedState& state, Parts parts) {
    const auto file = Hdf5File::open(path);
    const CheckpointLabel label{file.read_attribute("/", "id"), std::stoll(file.read_attribute("/", "step")),
                                file.read_attribute("/", "tokenizer")};
    for_each_dataset(state, parts, [&](Part part, ParameterId id) {
        const auto& spec = state.parameters.spec(id);
        const auto blocks = blocks_of(state, part, id, Direction::load);
        if (blocks.empty()) { return; }
        const auto stored = file.extents(dataset_of(part, spec));
        const auto wanted = extents_of(spec.shape);
        if (stored != wanted) {
            throw Error{fmt::format("{}: {} is [{}] but the model's is [{}]; the file belongs to another run",
                                    path.string(), dataset_of(part, spec), fmt::join(stored, ", "),
                                    fmt::join(wanted, ", "))};
        }
        for (const Block& block : blocks) { file.read_block(dataset_of(part, spec), block.place, block.memory); }
    });
    return label;
}

/// The state of a process that has all of it.
std::vector<StatePiece> whole_pieces(Parameters& parameters) {
    std::vector<StatePiece> pieces;
    for (std::size_t index = 0; index < parameters.size(); ++index) {
        const ParameterId id{index};
        const auto& shape = parameters.local_shape(id);
        if (shape.elements() == 0) { continue; }
        pieces.push_back({id,
                          0,
                          shape[0],
                          parameters.values<float>(id),
                          {},
                          parameters.first_moment<float>(id),
                          parameters.second_moment<float>(id)});
    }
    return pieces;
}

/// The sum over the run's ranks.
void add_up(const ShardedState& state, std::span<double> numbers) {
    if (!is_alone(state)) { state.run->all_reduce_sum(numbers); }
}

/// What rank 0 finds, on every rank: others may see a shared folder a little later.
std::vector<CheckpointName> agreed_names(const fs::path& run_folder, const ShardedState& state) {
    const bool looks = is_alone(state) || state.run->rank() == 0;
    std::vector<double> numbers;  // steps are exact in a double; -1: no step
    if (looks) {
        for (const auto& name : newest_checkpoints(run_folder)) {
            numbers.push_back(name ? static_cast<double>(*name) : -1.0);
        }
    }
    double count = static_cast<double>(numbers.size());
    add_up(state, {&count, 1});
    numbers.resize(static_cast<std::size_t>(count), 0.0);
    add_up(state, numbers);
    std::vector<CheckpointName> names;
    for (const double number : numbers) {
        names.push_back(number < 0 ? CheckpointName{} : CheckpointName{static_cast<std::int64_t>(number)});
    }
    return names;
}

}  // namespace

void save_checkpoint(const fs::path& path, const ShardedState& state, const CheckpointLabel& label) {
    save(path, state, label, everything);
}

void save_checkpoint(const fs::path& path, Parameters& parameters, const CheckpointLabel& label) {
    save_checkpoint(path, ShardedState{parameters, whole_pieces(parameters)}, label);
}

CheckpointLabel load_checkpoint(const fs::path& path, const ShardedState& state) {
    return load(path, state, everything);
}

CheckpointLabel load_checkpoint(const fs::path& path, Parameters& parameters) {
    return load_checkpoint(path, ShardedState{parameters, whole_pieces(parameters)});
}

void save_weights(const fs::path& path, const ShardedState& state, const CheckpointLabel& label) {
    save(path, state, label, values_only);
}

void save_weights(const fs::path& path, Parameters& parameters, const CheckpointLabel& label) {
    save_weights(path, ShardedState{parameters, {}}, label);
}

CheckpointLabel load_weights(const fs::path& path, Parameters& parameters) {
    return load(path, ShardedState{parameters, {}}, values_only);
}

void store_checkpoint(const fs::path& run_folder, const ShardedState& state, const CheckpointLabel& label,
                      const KeepRules& rules) {
    const auto target = checkpoint_target(run_folder, label.step, rules);
    const bool keeps_house = is_alone(state) || state.run->rank() == 0;
    // A rank that cannot make the folder is told of by the save itself.
    std::error_code told_later;
    if (keeps_house) { fs::create_directories(target.parent_path(), told_later); }
    save_checkpoint(target, state, label);

    std::string failure;
    try {
        if (keeps_house) { place_checkpoint(run_folder, label.step, rules); }
    } catch (const std::exception& error) { failure = error.what(); }
    double failures = failure.empty() ? 0 : 1;
    add_up(state, {&failures, 1});
    if (failures > 0) {
        throw Error{failure.empty() ? fmt::format("{}: rank 0 could not make it the newest", target.string())
                                    : failure};
    }
}

std::optional<RestoredCheckpoint> restore_newest(const fs::path& run_folder, const ShardedState& state) {
    const auto names = agreed_names(run_folder, state);
    if (names.empty()) { return std::nullopt; }
    RestoredCheckpoint restored;
    for (const auto& name : names) {
        restored.file = checkpoint_path(run_folder, name);
        std::string failure;
        try {
            restored.label = load_checkpoint(restored.file, state);
        } catch (const std::exception& error) { failure = error.what(); }
        double failures = failure.empty() ? 0 : 1;
        add_up(state, {&failures, 1});
        if (failures == 0) { return restored; }
        restored.refused.push_back(
            failure.empty() ? fmt::format("{}: another rank cannot read it", restored.file.string()) : failure);
    }
    throw Error{fmt::format("no checkpoint of {} can be read: {}; remove them to train it from the start",
                            run_folder.string(), fmt::join(restored.refused, "; "))};
}

fs::path weights_file(const fs::path& run_folder) { return run_folder / "weights.h5"; }

}  // namespace loglog
