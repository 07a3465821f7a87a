#include "distributed/data_parallel/state_shares.hpp"

#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr std::size_t alignment = 16;  // values, 64 bytes

std::size_t padded(std::size_t values) { return (values + alignment - 1) / alignment * alignment; }

StatePiece piece_of(Parameters& parameters, ParameterId id, std::int64_t first_row, std::int64_t rows,
                    std::int64_t columns) {
    const auto first = static_cast<std::size_t>(first_row * columns);
    const auto count = static_cast<std::size_t>(rows * columns);
    return {.parameter = id,
            .first_row = first_row,
            .rows = rows,
            .values = parameters.values<float>(id).subspan(first, count),
            .gradient = parameters.gradient<float>(id).subspan(first, count),
            .first_moment = {},
            .second_moment = {}};
}

}  // namespace

std::span<const RowTile> share_of(std::span<const RowTile> tiles, const Share& share) noexcept {
    if (tiles.empty()) { return tiles; }
    // Small parameters take turns, or the last rank would have all of them.
    const bool is_small = tiles.size() < share.count;
    const auto turn = is_small ? static_cast<std::size_t>(tiles.front().parameter) : 0;
    const std::size_t index = (share.index + turn) % share.count;
    const std::size_t begin = tiles.size() * index / share.count;
    return tiles.subspan(begin, tiles.size() * (index + 1) / share.count - begin);
}

StateShares::StateShares(Parameters& parameters) {
    for (std::size_t index = 0; index < parameters.size(); ++index) {
        const auto id = static_cast<ParameterId>(index);
        const auto& shape = parameters.local_shape(id);
        if (shape.elements() == 0) { continue; }
        pieces_.push_back(piece_of(parameters, id, 0, shape[0], shape.elements() / shape[0]));
        pieces_.back().first_moment = parameters.first_moment<float>(id);
        pieces_.back().second_moment = parameters.second_moment<float>(id);
    }
    if (parameters.moment_bytes() == 0) { provide_moments(); }
}

StateShares::StateShares(Parameters& parameters, const GradientTiles& tiles, Group& data) : data_{&data} {
    if (parameters.moment_bytes() > 0) {
        throw InputError{"sharded moments: the model keeps moments of its own (construct it with Moments::elsewhere)"};
    }
    for (std::size_t index = 0; index < parameters.size(); ++index) {
        const auto id = static_cast<ParameterId>(index);
        for (int owner = 0; owner < data.size(); ++owner) {
            const auto share =
                share_of(tiles.of(id), {static_cast<std::size_t>(owner), static_cast<std::size_t>(data.size())});
            if (share.empty()) { continue; }
            const auto first = share.front().first_row;
            const auto rows = share.back().first_row + share.back().rows - first;
            const auto piece = piece_of(parameters, id, first, rows, share.front().columns);
            add_range(piece.values, owner);
            if (owner == data.rank()) { pieces_.push_back(piece); }
        }
    }
    provide_moments();
}

// Neighbours of one owner, with the padding between them, travel as one.
void StateShares::add_range(std::span<float> values, int owner) {
    if (!ranges_.empty() && ranges_.back().owner == owner) {
        auto& last = ranges_.back().values;
        last = {last.data(), static_cast<std::size_t>(values.data() + values.size() - last.data())};
    } else {
        ranges_.push_back({values, owner});
    }
}

void StateShares::provide_moments() {
    std::size_t values = 0;
    for (const auto& piece : pieces_) { values += padded(piece.values.size()); }
    moments_ = Storage{Backing::memory, 2 * values * sizeof(float)};
    auto* next = reinterpret_cast<float*>(moments_.data());
    for (auto& piece : pieces_) {
        piece.first_moment = {next, piece.values.size()};
        piece.second_moment = {next + values, piece.values.size()};
        next += padded(piece.values.size());
    }
}

void StateShares::gather_values() {
    if (data_ == nullptr) { return; }
    transfers_.clear();
    for (const auto& range : ranges_) { transfers_.push_back(data_->start_broadcast(range.values, range.owner)); }
    for (const auto transfer : transfers_) { data_->wait(transfer); }
}

}  // namespace loglog
