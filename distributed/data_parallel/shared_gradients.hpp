#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/nn/parameters.hpp"
#include "engine/parallel/group.hpp"

namespace loglog {

/// Whether every leaf's part of a parameter is that leaf's alone, so that its gradient needs no sum over leaves.
bool has_copies(const ParameterSpec& spec, std::int64_t leaves);

/// Sums over what several tensor-parallel leaves or ranks share: copies of rows that cannot be cut as far as there are
/// leaves (keys and values of grouped queries, gains shared by all heads), and, with activations cut by tokens, what is
/// held whole (gains, biases added after a sum).
///
/// Copies are added up as a tree over neighbouring leaves, first those of a rank, then ranks: the same bits for every
/// number of ranks.
class SharedGradients {
  public:
    /// `tensor`: the ranks that share the model's leaves.
    SharedGradients(Parameters& parameters, Group& tensor);

    /// Collective over the tensor group.
    void sum(Context& context);

    std::size_t bytes() const noexcept { return (mine_.size() + all_.size() + whole_.size()) * sizeof(float); }

  private:
    struct Copies {
        std::vector<std::span<float>> gradients;  ///< of the local leaves, in their order
        std::size_t first_rank = 0;               ///< of those that hold copies
        std::size_t ranks = 1;
        std::size_t offset = 0;  ///< into mine_, where there are several
    };

    void add_copies(Parameters& parameters, ParameterId id);
    void sum_across_ranks(Context& context);
    void sum_whole(Context& context);

    Group* tensor_;
    std::vector<Copies> copies_;
    std::vector<std::span<float>> whole_gradients_;
    std::vector<float> mine_;   // one after the other: sums of what other ranks have copies of
    std::vector<float> all_;    // [tensor ranks, mine]
    std::vector<float> whole_;  // gradients of whole parameters, one after the other
};

}  // namespace loglog
