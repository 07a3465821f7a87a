#include "distributed/data_parallel/shared_gradients.hpp"

#include <algorithm>

#include "engine/kernels/elementwise.hpp"

namespace loglog {
namespace {

TensorShard all_leaves(std::int64_t leaves) { return {.leaves = leaves, .first_leaf = 0, .leaf_count = leaves}; }

void copy(Context& context, std::span<const float> from, std::span<float> to) {
    launch(context, Scale<float>{from, to});
}

// parts[0] becomes the sum; neighbours first.
void sum_as_tree(Context& context, std::span<const std::span<float>> parts) {
    for (std::size_t distance = 1; distance < parts.size(); distance *= 2) {
        for (std::size_t index = 0; index + distance < parts.size(); index += 2 * distance) {
            launch(context, Scale<float>{parts[index + distance], parts[index], 1.0f, true});
        }
    }
}

}  // namespace

bool has_copies(const ParameterSpec& spec, std::int64_t leaves) {
    if (leaves == 1 || spec.cut.axis != Cut::Axis::rows) { return false; }
    const auto segments_of_all = segments(spec.shape, spec.cut, all_leaves(leaves));
    return std::ranges::any_of(segments_of_all, [](const auto& segment) { return !segment.owned; });
}

SharedGradients::SharedGradients(Parameters& parameters, Group& tensor) : tensor_{&tensor} {
    std::size_t whole_values = 0;
    for (std::size_t index = 0; index < parameters.size(); ++index) {
        const auto id = static_cast<ParameterId>(index);
        const auto& spec = parameters.spec(id);
        if (!spec.present) { continue; }
        if (has_copies(spec, parameters.shard().leaves)) { add_copies(parameters, id); }
        if (parameters.shard().sequence_parallel && spec.cut.axis == Cut::Axis::whole && tensor.size() > 1) {
            whole_gradients_.push_back(parameters.gradient<float>(id));
            whole_values += whole_gradients_.back().size();
        }
    }
    all_.resize(mine_.size() * static_cast<std::size_t>(tensor.size()));
    whole_.resize(whole_values);
}

void SharedGradients::add_copies(Parameters& parameters, ParameterId id) {
    const auto& spec = parameters.spec(id);
    const auto& shard = parameters.shard();
    const auto everywhere = segments(spec.shape, spec.cut, all_leaves(shard.leaves));
    std::vector<std::int64_t> seen;
    for (const auto& segment : parameters.segments(id)) {
        if (std::ranges::find(seen, segment.global_row) != seen.end()) { continue; }
        seen.push_back(segment.global_row);
        const auto is_copy = [&](const Segment& other) { return other.global_row == segment.global_row; };
        const auto holders = static_cast<std::size_t>(std::ranges::count_if(everywhere, is_copy));
        if (holders == 1) { continue; }
        const auto first_leaf = std::ranges::find_if(everywhere, is_copy)->first_leaf;

        Copies copies;
        for (const auto& local : parameters.segments(id)) {
            if (!is_copy(local)) { continue; }
            const auto first = static_cast<std::size_t>(local.local_row * local.columns);
            const auto count = static_cast<std::size_t>(local.rows * local.columns);
            copies.gradients.push_back(parameters.gradient<float>(id).subspan(first, count));
        }
        copies.first_rank = static_cast<std::size_t>(first_leaf / shard.leaf_count);
        copies.ranks = std::max<std::size_t>(1, holders / copies.gradients.size());
        if (copies.ranks > 1) {
            copies.offset = mine_.size();
            mine_.resize(mine_.size() + copies.gradients.front().size());
        }
        copies_.push_back(std::move(copies));
    }
}

void SharedGradients::sum(Context& context) {
    for (const auto& copies : copies_) { sum_as_tree(context, copies.gradients); }
    if (!mine_.empty()) { sum_across_ranks(context); }
    for (const auto& copies : copies_) {
        for (std::size_t index = 1; index < copies.gradients.size(); ++index) {
            copy(context, copies.gradients.front(), copies.gradients[index]);
        }
    }
    if (!whole_.empty()) { sum_whole(context); }
}

void SharedGradients::sum_across_ranks(Context& context) {
    for (const auto& copies : copies_) {
        if (copies.ranks == 1) { continue; }
        const auto sum = copies.gradients.front();
        copy(context, sum, std::span{mine_}.subspan(copies.offset, sum.size()));
    }
    tensor_->all_gather(mine_, all_);
    for (const auto& copies : copies_) {
        if (copies.ranks == 1) { continue; }
        const auto sum = copies.gradients.front();
        std::vector<std::span<float>> parts;
        for (std::size_t rank = copies.first_rank; rank < copies.first_rank + copies.ranks; ++rank) {
            parts.push_back(std::span{all_}.subspan(rank * mine_.size() + copies.offset, sum.size()));
        }
        sum_as_tree(context, parts);
        copy(context, parts.front(), sum);
    }
}

void SharedGradients::sum_whole(Context& context) {
    const std::span<float> packed{whole_};
    std::size_t offset = 0;
    for (const auto gradient : whole_gradients_) {
        copy(context, gradient, packed.subspan(offset, gradient.size()));
        offset += gradient.size();
    }
    tensor_->all_reduce_sum(packed);
    offset = 0;
    for (const auto gradient : whole_gradients_) {
        copy(context, packed.subspan(offset, gradient.size()), gradient);
        offset += gradient.size();
    }
}

}  // namespace loglog
