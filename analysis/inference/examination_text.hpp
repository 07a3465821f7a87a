#pragma once

#include <string>

#include "analysis/inference/inference.hpp"

namespace loglog {

/// The examination's tables for people, each after an empty line; no text where nothing was examined.
std::string examination_text(const Inference& inference);

/// Where the fit begins, and the onsets that were tried.
std::string to_text(const Onset& onset);

/// One line of the held-out error, and the onset of the fit that made it.
std::string to_text(const HoldOut& hold_out);

}  // namespace loglog
