#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace loglog {

/// One run of training: its learning rate at every step and the losses measured along it.
struct Curve {
    std::string name;
    std::vector<double> rates;       ///< [steps] from step 0 on
    std::vector<std::size_t> steps;  ///< [observations] increasing, each below rates.size()
    std::vector<double> losses;      ///< [observations] nats per token, after the update of that step
};

}  // namespace loglog
