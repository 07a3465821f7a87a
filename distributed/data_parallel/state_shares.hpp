#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/nn/state_piece.hpp"
#include "engine/optim/gradient_tiles.hpp"
#include "engine/parallel/group.hpp"
#include "engine/tensor/storage.hpp"

namespace loglog {

/// A part of a whole among neighbours.
struct Share {
    std::size_t index = 0;
    std::size_t count = 1;
};

/// That share of a parameter's tiles: neighbours, as many as the others' give or take one. Depends on nothing but the
/// parameter, the number of its tiles and the share.
std::span<const RowTile> share_of(std::span<const RowTile> tiles, const Share& share) noexcept;

/// Neighbouring values, or gradients, of one rank's shares.
struct OwnedRange {
    std::span<float> values;
    int owner = 0;
};

/// Adds who owns what of a parameter, whose tiles on each of `owners` ranks are `tiles` and whose values (or gradients)
/// lie behind those of the ranges so far. Neighbours of one owner become one range, with the padding between them.
void append_owned(std::vector<OwnedRange>& to, std::span<const RowTile> tiles, std::span<float> values, int owners);

/// What this rank updates and keeps optimizer state of: everything it holds, or, with sharded moments (ZeRO stage 1,
/// Rajbhandari et al. 2020, arXiv:1910.02054), its share of each parameter's tiles among the ranks that hold the same
/// parameters.
class StateShares {
  public:
    /// Everything; the moments are those of `parameters`, or, where they lie elsewhere, this object's.
    explicit StateShares(Parameters& parameters);
    /// Shares among `data`'s ranks. Throws InputError when `parameters` have moments of their own.
    StateShares(Parameters& parameters, const GradientTiles& tiles, Group& data);

    std::span<const StatePiece> pieces() const noexcept { return pieces_; }
    /// Collective over the data group: every rank gets the values that others have updated.
    void gather_values();

    std::size_t moment_bytes() const noexcept { return moments_.bytes(); }

  private:
    void provide_moments();

    std::vector<StatePiece> pieces_;
    Storage moments_;
    Group* data_ = nullptr;
    std::vector<OwnedRange> ranges_;  // of all values
    std::vector<Transfer> transfers_;
};

}  // namespace loglog
