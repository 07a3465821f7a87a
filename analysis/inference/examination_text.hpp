#pragma once

#include <string>

#include "analysis/inference/inference.hpp"

namespace loglog {

/// The examination's tables for people, each after an empty line; no text where nothing was examined.
std::string examination_text(const Inference& inference);

/// One line of the held-out error.
std::string to_text(const HoldOut& hold_out);

}  // namespace loglog
