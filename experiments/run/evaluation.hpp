#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace loglog {

/// What was predicted right, of the windows that ask for equally many tokens.
struct LengthScore {
    std::int64_t length = 0;     ///< targets of a window
    double accuracy = 0;         ///< share of the targets that have the largest logit
    double string_accuracy = 0;  ///< share of the windows all of whose targets have

    bool operator==(const LengthScore&) const = default;
};

struct Evaluation {
    double loss = 0;                       ///< nats per target
    std::vector<double> loss_by_position;  ///< nats per target in equal ranges of the position within the window; NaN
                                           ///< where there is none
    std::optional<double> accuracy;        ///< share of the targets that have the largest logit; of labelled data
    std::optional<double> string_accuracy = {};  ///< share of the windows all of whose targets have; of labelled data
    std::vector<LengthScore> by_length = {};     ///< of labelled data, in ascending order
    std::optional<double> recall_loss = {};      ///< nats per target, of those that were marked
    double recall_share = 0;                     ///< of the marked among all targets
};

}  // namespace loglog
