#include "distributed/data_parallel/state_shares.hpp"

#include <algorithm>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr std::size_t alignment = 16;  // values, 64 bytes

std::size_t padded(std::size_t values) { return (values + alignment - 1) / alignment * alignment; }

struct Rows {
    std::int64_t first = 0;
    std::int64_t count = 0;
    std::int64_t columns = 0;

    std::span<float> in(std::span<float> values) const noexcept {
        return values.subspan(static_cast<std::size_t>(first * columns), static_cast<std::size_t>(count * columns));
    }
};

// Neighbouring tiles.
Rows rows_of(std::span<const RowTile> tiles) noexcept {
    if (tiles.empty()) { return {}; }
    const auto first = tiles.front().first_row;
    return {first, tiles.back().first_row + tiles.back().rows - first, tiles.front().columns};
}

StatePiece piece_of(Parameters& parameters, ParameterId id, const Rows& rows) {
    return {.parameter = id,
            .first_row = rows.first,
            .rows = rows.count,
            .values = rows.in(parameters.values<float>(id)),
            .gradient = rows.in(parameters.gradient<float>(id)),
            .first_moment = {},
            .second_moment = {}};
}

}  // namespace

std::span<const RowTile> share_of(std::span<const RowTile> tiles, const Share& share) noexcept {
    if (tiles.empty()) { return tiles; }
    // Small parameters would all be the last rank's. A few neighbours at a time take turns, so that ranges stay long.
    constexpr std::size_t neighbours = 16;
    const bool is_small = tiles.size() < share.count;
    const auto turn = is_small ? static_cast<std::size_t>(tiles.front().parameter) / neighbours : 0;
    const std::size_t index = (share.index + turn) % share.count;
    const std::size_t begin = tiles.size() * index / share.count;
    return tiles.subspan(begin, tiles.size() * (index + 1) / share.count - begin);
}

void append_owned(std::vector<OwnedRange>& to, std::span<const RowTile> tiles, std::span<float> values, int owners) {
    const auto first_new = to.size();
    for (int owner = 0; owner < owners; ++owner) {
        const Share share{static_cast<std::size_t>(owner), static_cast<std::size_t>(owners)};
        const auto rows = rows_of(share_of(tiles, share));
        if (rows.count > 0) { to.push_back({rows.in(values), owner}); }
    }
    std::ranges::sort(to.begin() + static_cast<std::ptrdiff_t>(first_new), to.end(), {},
                      [](const OwnedRange& range) { return range.values.data(); });
    if (first_new == 0 || first_new == to.size() || to[first_new - 1].owner != to[first_new].owner) { return; }
    auto& last = to[first_new - 1].values;
    const auto& next = to[first_new].values;
    const auto gap = next.data() - (last.data() + last.size());
    if (gap < 0 || gap >= static_cast<std::ptrdiff_t>(alignment)) { return; }
    last = {last.data(), last.size() + static_cast<std::size_t>(gap) + next.size()};
    to.erase(to.begin() + static_cast<std::ptrdiff_t>(first_new));
}

StateShares::StateShares(Parameters& parameters) {
    for (std::size_t index = 0; index < parameters.size(); ++index) {
        const auto id = static_cast<ParameterId>(index);
        const auto& shape = parameters.local_shape(id);
        if (shape.elements() == 0) { continue; }
        pieces_.push_back(piece_of(parameters, id, {0, shape[0], shape.elements() / shape[0]}));
        pieces_.back().first_moment = parameters.first_moment<float>(id);
        pieces_.back().second_moment = parameters.second_moment<float>(id);
    }
    if (parameters.moment_bytes() == 0) { provide_moments(); }
}

StateShares::StateShares(Parameters& parameters, const GradientTiles& tiles, Group& data) : data_{&data} {
    if (parameters.moment_bytes() > 0) {
        throw InputError{"sharded moments: the model keeps moments of its own (construct it with Moments::elsewhere)"};
    }
    const Share mine{static_cast<std::size_t>(data.rank()), static_cast<std::size_t>(data.size())};
    for (std::size_t index = 0; index < parameters.size(); ++index) {
        const auto id = static_cast<ParameterId>(index);
        append_owned(ranges_, tiles.of(id), parameters.values<float>(id), data.size());
        const auto rows = rows_of(share_of(tiles.of(id), mine));
        if (rows.count > 0) { pieces_.push_back(piece_of(parameters, id, rows)); }
    }
    provide_moments();
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
