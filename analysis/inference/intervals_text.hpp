#pragma once

#include <string>

#include "analysis/inference/inference.hpp"

namespace loglog {

/// How the intervals were made, the profile intervals, and pairs of parameters that hardly vary apart, for people.
std::string intervals_text(const Inference& inference);

}  // namespace loglog
