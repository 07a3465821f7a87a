#include "experiments/spec/resolve_parts.hpp"

namespace loglog::detail {

void check_probe(const RunSpec&, std::vector<SpecProblem>&) {}

}  // namespace loglog::detail
