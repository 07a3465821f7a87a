#pragma once

#include <map>
#include <string>
#include <vector>

#include "analysis/fit/dataset.hpp"
#include "analysis/inference/refit.hpp"

namespace loglog {

/// One way to count parameters, tokens or FLOPs, and the column that holds it.
struct Convention {
    std::string quantity;    ///< "N", "D" or "C"
    std::string convention;  ///< "non_embedding", "with_head", "total"; "seen", "unique"; "exact", "6ND"
    std::string column;
    bool is_used = false;  ///< by the fit itself
    std::string same_as;   ///< an earlier convention with the same numbers, which is not fitted again
};

/// A fit under one convention, all else equal.
struct ConventionFit {
    Convention convention;
    Refit fit;  ///< empty where `convention.same_as` is not
};

/// The conventions of `quantity` that the table has columns for, under their usual names: total_params,
/// non_embedding_params, with_head_params (also N_total, ...), tokens and unique_tokens (U), flops and flops_6nd.
/// Nothing where there are not two of them.
std::vector<Convention> conventions_of(const Dataset& data, const std::string& quantity,
                                       const std::map<std::string, std::string>& mapping);

/// The table with a column flops_6nd = 6 N D where it has N and D and none of that name.
Dataset with_6nd(Dataset data, const std::map<std::string, std::string>& mapping);

}  // namespace loglog
