#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "distributed/topology/layout.hpp"
#include "engine/base/random.hpp"
#include "engine/models/decoder.hpp"
#include "engine/nn/state_piece.hpp"
#include "tests/support/decoder_case.hpp"

namespace loglog::testing {

/// A layout, whether its data-parallel ranks share the moments out, and the leaves of its tensors.
struct StateLayout {
    Layout layout;
    bool zero = false;
    std::int64_t leaves = 0;  ///< 0: tp

    std::string name() const {
        return to_string(layout) + (zero ? " zero" : "") + (leaves > 0 ? " leaves " + std::to_string(leaves) : "");
    }
};

/// Four layers with grouped kv heads, gains that all heads share and a tied table that no number of ranks divides.
inline DecoderConfig checkpoint_config() {
    auto config = tiny_modern_config();
    config.layers = 4;
    config.mlp_width = 24;
    config.tied_head = true;
    return resolved(config);
}

/// Four layers of different kinds of attention, with convolutions, gates, decays and gains of their own.
inline DecoderConfig hybrid_checkpoint_config() {
    auto config = checkpoint_config();
    config.layer_attention = {AttentionKind::dense, AttentionKind::window, AttentionKind::ssd, AttentionKind::gdn};
    config.attention.conv = config.attention.output_gate = -1;
    return resolved(config);
}

inline ModelPart part_at(const StateLayout& state, const Place& place, std::int64_t layers) {
    const auto& layout = state.layout;
    const std::int64_t leaves = std::max<std::int64_t>(state.leaves, layout.tp);
    ModelPart part;
    part.tensor = {.leaves = leaves, .first_leaf = place.tp * (leaves / layout.tp), .leaf_count = leaves / layout.tp};
    part.chunks = {{layers * place.pp / layout.pp, layers * (place.pp + 1) / layout.pp}};
    part.embedding = place.pp == 0;
    part.head = place.pp == layout.pp - 1;
    return part;
}

/// What entry `index` of a whole parameter holds; `part` 0: value, 1 and 2: moments.
inline float entry(std::uint64_t part, const std::string& name, std::int64_t index) {
    const Random random{Seed{part + 1}, Stream::init, name_hash(name)};
    return static_cast<float>(random.normal(static_cast<std::uint64_t>(index)));
}

/// One rank's state under a layout.
class RankState {
  public:
    RankState(const StateLayout& state, const Place& place, const DecoderConfig& config = checkpoint_config())
        : model_{config, Purpose::training, DType::float32, Backing::memory, part_at(state, place, config.layers)} {
        const Share share = state.zero ? Share{place.dp, state.layout.dp} : Share{0, 1};
        moments_.reserve(2 * parameters().size());
        for (std::size_t index = 0; index < parameters().size(); ++index) { add_piece(ParameterId{index}, share); }
    }

    Parameters& parameters() { return model_.parameters(); }
    std::span<const StatePiece> pieces() const { return pieces_; }

    /// Sets what this rank holds to entry().
    void fill() {
        each([](float& x, std::uint64_t part, const std::string& name, std::int64_t index) {
            x = entry(part, name, index);
        });
    }

    /// Entries that differ from entry(), and padding that is not 0; the first by name.
    std::string differences() {
        std::string result;
        std::int64_t checked = 0;
        each([&](const float& x, std::uint64_t part, const std::string& name, std::int64_t index) {
            ++checked;
            if (result.empty() && x != entry(part, name, index)) {
                result = name + "[" + std::to_string(index) + "] of part " + std::to_string(part);
            }
        });
        if (checked == 0) { return "nothing was compared"; }
        each([](float& x, std::uint64_t, const std::string&, std::int64_t) { x = 0; });
        const auto zero = [](std::span<const float> values) {
            return std::ranges::all_of(values, [](float x) { return x == 0; });
        };
        if (!zero(parameters().all_values<float>())) { result += " padding of values"; }
        for (const auto& moments : moments_) {
            if (!zero(moments)) { result += " padding of moments"; }
        }
        return result;
    }

  private:
    struct Share {
        std::int64_t index;
        std::int64_t count;
    };

    void add_piece(ParameterId id, const Share& share) {
        const auto& shape = parameters().local_shape(id);
        if (shape.elements() == 0) { return; }
        const auto first = shape[0] * share.index / share.count;
        const auto rows = shape[0] * (share.index + 1) / share.count - first;
        if (rows == 0) { return; }
        const auto columns = shape.elements() / shape[0];
        auto& m = moments_.emplace_back(static_cast<std::size_t>(rows * columns));
        auto& v = moments_.emplace_back(static_cast<std::size_t>(rows * columns));
        pieces_.push_back({id, first, rows, {}, {}, m, v});
    }

    /// Calls work(entry, part, name, index in the whole parameter) for all that this rank holds, padding excepted.
    template <class Work>
    void each(const Work& work) {
        for (std::size_t index = 0; index < parameters().size(); ++index) {
            const ParameterId id{index};
            const auto& shape = parameters().local_shape(id);
            if (shape.elements() > 0) { each_row(id, 0, 0, shape[0], parameters().values<float>(id), work); }
        }
        for (const auto& piece : pieces_) {
            each_row(piece.parameter, 1, piece.first_row, piece.rows, piece.first_moment, work);
            each_row(piece.parameter, 2, piece.first_row, piece.rows, piece.second_moment, work);
        }
    }

    template <class Work>
    void each_row(ParameterId id, std::uint64_t part, std::int64_t first, std::int64_t rows, std::span<float> memory,
                  const Work& work) {
        const auto& spec = parameters().spec(id);
        const auto whole_columns = spec.shape.elements() / spec.shape[0];
        for (const Segment& segment : parameters().segments(id)) {
            for (std::int64_t row = 0; row < segment.rows; ++row) {
                const auto local = segment.local_row + row - first;
                if (local < 0 || local >= rows) { continue; }
                for (std::int64_t column = 0; column < segment.columns; ++column) {
                    work(memory[static_cast<std::size_t>(local * segment.columns + column)], part, spec.name,
                         (segment.global_row + row) * whole_columns + segment.global_column + column);
                }
            }
        }
    }

    Decoder model_;
    std::vector<std::vector<float>> moments_;
    std::vector<StatePiece> pieces_;
};

}  // namespace loglog::testing
