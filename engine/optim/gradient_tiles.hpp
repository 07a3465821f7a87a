#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/kernels/elementwise.hpp"
#include "engine/nn/parameters.hpp"

namespace loglog {

/// Neighbouring rows of what this rank holds of a parameter, about 4096 values, never of two leaves of a block of rows:
/// the unit of gradient norms and of sharded optimizer state.
struct RowTile {
    ParameterId parameter{};
    std::int64_t first_row = 0;  ///< local
    std::int64_t rows = 0;
    std::int64_t columns = 0;     ///< that the rank holds
    bool by_leaf = false;         ///< the columns are cut: each leaf's have an entry of their own
    std::int64_t leaves = 1;      ///< that the rank's columns belong to
    std::size_t first_entry = 0;  ///< of `leaves` neighbouring entries in the model's table
    bool owned = true;            ///< false: a copy; the entries are for another rank, or a lower leaf, to fill
};

/// Cuts a model's gradients into tiles, and gives every (parameter, tile, leaf) of the whole model an entry of one
/// table, the same on all ranks: what a rank owns of the table it fills with sums of squares, the rest it leaves zero.
/// A sum of such tables over ranks is exact, since each entry has one contributor, so adding up the entries in order
/// gives a norm whose bits depend on the gradients and on the number of leaves alone.
class GradientTiles {
  public:
    explicit GradientTiles(const Parameters& parameters);

    /// Of all parameters on this rank, in their order, each row by row.
    std::span<const RowTile> all() const noexcept { return tiles_; }
    std::span<const RowTile> of(ParameterId id) const noexcept {
        const auto index = static_cast<std::size_t>(id);
        return std::span{tiles_}.subspan(starts_[index], starts_[index + 1] - starts_[index]);
    }

    std::size_t entries() const noexcept { return first_entries_.back(); }
    std::size_t first_entry(ParameterId id) const noexcept { return first_entries_[static_cast<std::size_t>(id)]; }
    std::size_t entries_of(ParameterId id) const noexcept {
        return first_entries_[static_cast<std::size_t>(id) + 1] - first_entry(id);
    }

  private:
    void add(const Parameters& parameters, ParameterId id);

    std::vector<RowTile> tiles_;
    std::vector<std::size_t> starts_{0};         // [parameters + 1], into tiles_
    std::vector<std::size_t> first_entries_{0};  // [parameters + 1]
};

/// The squares that `tiles` have in the gradients `values` of their parameter; sums go to the tiles' entries.
template <class T>
void append_squares(std::vector<SquaresTile<T>>& to, std::span<const RowTile> tiles, std::span<const T> values);

/// Square root of the entries' sum, added in order.
double norm_of(std::span<const double> entries) noexcept;

}  // namespace loglog
