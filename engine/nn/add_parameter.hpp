#pragma once

#include <string>
#include <vector>

#include "engine/nn/parameters.hpp"

namespace loglog {

/// Appends a parameter whose values all start as `value`.
ParameterId add_constant(std::vector<ParameterSpec>& specs, std::string name, const Shape& shape, ParameterClass kind,
                         double value, const ParameterizationRule& rule, Cut cut = {});

/// Appends a parameter that starts as N(0, std^2), `std` after the parameterization's factor.
ParameterId add_normal(std::vector<ParameterSpec>& specs, std::string name, const Shape& shape, ParameterClass kind,
                       double std, const ParameterizationRule& rule, Cut cut = {});

/// Appends a parameter drawn as `initial` says between `low` and `high`.
ParameterId add_between(std::vector<ParameterSpec>& specs, std::string name, const Shape& shape, ParameterClass kind,
                        InitialValues initial, double low, double high, const ParameterizationRule& rule, Cut cut = {});

}  // namespace loglog
