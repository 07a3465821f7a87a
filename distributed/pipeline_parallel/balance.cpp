#include "distributed/pipeline_parallel/balance.hpp"

#include <algorithm>
#include <limits>
#include <string>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Costs of all possible pieces.
class PieceCosts {
  public:
    PieceCosts(std::span<const double> layers, int pieces, double first_extra, double last_extra)
        : sums_{0}, pieces_{static_cast<std::size_t>(pieces)}, first_extra_{first_extra}, last_extra_{last_extra} {
        for (const double cost : layers) { sums_.push_back(sums_.back() + cost); }
    }

    std::size_t layers() const { return sums_.size() - 1; }
    std::size_t pieces() const { return pieces_; }
    /// Of layers [first, last) as the given piece.
    double operator()(std::size_t piece, std::size_t first, std::size_t last) const {
        return sums_[last] - sums_[first] + (piece == 0 ? first_extra_ : 0) + (piece + 1 == pieces_ ? last_extra_ : 0);
    }

  private:
    std::vector<double> sums_;
    std::size_t pieces_;
    double first_extra_;
    double last_extra_;
};

/// The cuts with the least of what `combine(of the pieces before, of one piece)` gives for all pieces, by dynamic
/// programming over the last cut; ties go to the earlier one. `least` is set to that value.
template <class Combine>
std::vector<std::size_t> best_cuts(const PieceCosts& cost, const Combine& combine, double& least) {
    const std::size_t layers = cost.layers();
    const std::size_t pieces = cost.pieces();
    std::vector<std::vector<double>> best(pieces + 1, std::vector<double>(layers + 1, infinity));
    std::vector<std::vector<std::size_t>> cut(pieces + 1, std::vector<std::size_t>(layers + 1, 0));
    best[0][0] = 0;
    for (std::size_t piece = 0; piece < pieces; ++piece) {
        for (std::size_t last = piece + 1; last <= layers; ++last) {
            for (std::size_t first = piece; first < last; ++first) {
                const double value = combine(best[piece][first], cost(piece, first, last));
                if (value < best[piece + 1][last]) {
                    best[piece + 1][last] = value;
                    cut[piece + 1][last] = first;
                }
            }
        }
    }
    least = best[pieces][layers];
    std::vector<std::size_t> cuts(pieces + 1, layers);
    for (std::size_t piece = pieces; piece > 0; --piece) { cuts[piece - 1] = cut[piece][cuts[piece]]; }
    return cuts;
}

}  // namespace

std::vector<LayerRange> balance_layers(std::span<const double> layer_costs, int pieces, double first_extra,
                                       double last_extra) {
    LOGLOG_ASSERT(pieces >= 1);
    if (layer_costs.size() < static_cast<std::size_t>(pieces)) {
        throw InputError{"pipeline: " + std::to_string(layer_costs.size()) + " layers cannot be cut in " +
                         std::to_string(pieces) +
                         " pieces: use fewer stages (layout.pp), or a schedule with one chunk a stage"};
    }
    const PieceCosts cost{layer_costs, pieces, first_extra, last_extra};
    double most = 0;
    best_cuts(
        cost, [](double before, double piece) { return std::max(before, piece); }, most);
    // Many cuts can share the most expensive piece; the most even of them leaves its neighbours the least to wait for.
    double squares = 0;
    const auto even = [&](double before, double piece) { return piece > most ? infinity : before + piece * piece; };
    const auto cuts = best_cuts(cost, even, squares);
    std::vector<LayerRange> ranges;
    for (std::size_t piece = 0; piece + 1 < cuts.size(); ++piece) {
        ranges.push_back({static_cast<std::int64_t>(cuts[piece]), static_cast<std::int64_t>(cuts[piece + 1])});
    }
    return ranges;
}

std::vector<LayerRange> chunks_of_stage(std::span<const LayerRange> pieces, int stages, int stage) {
    LOGLOG_ASSERT(pieces.size() % static_cast<std::size_t>(stages) == 0);
    std::vector<LayerRange> chunks;
    for (auto piece = static_cast<std::size_t>(stage); piece < pieces.size();
         piece += static_cast<std::size_t>(stages)) {
        chunks.push_back(pieces[piece]);
    }
    return chunks;
}

}  // namespace loglog
