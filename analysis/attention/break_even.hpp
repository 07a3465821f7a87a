#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "db/registry/run_record.hpp"

namespace loglog {

/// The context from which on a linear kind of attention mixes tokens with fewer FLOPs than the dense one does; heads of
/// `head_dim`, chunks of `chunk` tokens. Nothing for kinds that are not linear in the context.
///
/// Per token, head and layer, forward (dk = dv = d): dense 2d (T + 1); decay 4d^2 + 2d (C + 1); feature maps 4d more;
/// delta rule 6d^2 + 5Cd + C^2/3.
std::optional<double> break_even_context(std::string_view kind, double head_dim, double chunk);

/// The kind of attention and what else of a run's resolved spec the break-even depends on.
struct MixingShape {
    std::string kind;  ///< empty: not known
    double head_dim = 0;
    double chunk = 0;
};
MixingShape mixing_shape(const RunRecord& record);

}  // namespace loglog
