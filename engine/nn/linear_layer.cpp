#include "engine/nn/linear_layer.hpp"

#include <utility>

#include "engine/nn/add_parameter.hpp"
#include "engine/ops/row_linear.hpp"

namespace loglog {

LinearLayer::LinearLayer(std::vector<ParameterSpec>& specs, const std::string& name, Sizes sizes, bool bias,
                         double init_std, Ends ends, const ParameterizationRule& rule, std::vector<CutBlock> blocks) {
    const bool ends_branch = ends == Ends::residual_branch;
    const Cut cut =
        ends_branch ? Cut{.axis = Cut::Axis::columns} : Cut{.axis = Cut::Axis::rows, .blocks = std::move(blocks)};
    weight_ = add_normal(specs, name + ".weight", Shape{sizes.out, sizes.in}, ParameterClass::hidden_matrix,
                         init_std * rule.init_multiplier(ParameterClass::hidden_matrix, ends_branch), rule, cut);
    if (bias) {
        bias_ = add_constant(specs, name + ".bias", Shape{sizes.out}, ParameterClass::hidden_vector, 0, rule,
                             ends_branch ? Cut{} : cut);
    }
}

ColumnCut LinearLayer::column_cut(const Parameters& parameters) const {
    const auto& shard = parameters.shard();
    if (!shard.is_cut()) { return {}; }
    const auto& blocks = parameters.spec(weight_).cut.blocks;
    ColumnCut cut{.leaf_count = shard.leaf_count,
                  .blocks = static_cast<std::int64_t>(blocks.size()),
                  .group = shard.sequence_parallel ? nullptr : shard.group};
    for (std::size_t i = 0; i < blocks.size(); ++i) { cut.rows_per_leaf[i] = rows_per_leaf(blocks[i], shard.leaves); }
    return cut;
}

Tensor gathered_input(Tape& tape, const Tensor& x, const TensorShard& shard) {
    return shard.sequence_parallel ? gather_rows(tape, x, *shard.group) : x;
}

void discard_gathered(Tape& tape, const Tensor& input, const TensorShard& shard) noexcept {
    if (shard.sequence_parallel) { tape.discard(input); }
}

}  // namespace loglog
