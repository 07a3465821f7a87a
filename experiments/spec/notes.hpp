#pragma once

#include <string>
#include <vector>

#include "experiments/spec/run_spec.hpp"

namespace loglog {

/// What is allowed in a resolved spec but may not be what was meant, a sentence each that starts with the key: sparse
/// attention whose settings hide no key.
std::vector<std::string> notes(const RunSpec& resolved);

}  // namespace loglog
