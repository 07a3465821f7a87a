#pragma once

#include <string_view>

#include "db/registry/run_record.hpp"

namespace loglog {

/// Whether a run has what a fit needs: state ok, N, D, C and a final validation loss.
inline bool can_be_fitted(const RunRecord& record) {
    return record.state == RunState::ok && record.non_embedding_params && record.tokens && record.flops &&
           record.final_val_loss;
}

/// "N" (non-embedding), "D" or "C" of a run that can be fitted.
inline double quantity(const RunRecord& record, std::string_view x) {
    if (x == "N") { return static_cast<double>(*record.non_embedding_params); }
    if (x == "D") { return static_cast<double>(*record.tokens); }
    return *record.flops;
}

}  // namespace loglog
