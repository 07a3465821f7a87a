#pragma once

#include <vector>

#include "experiments/spec/field_value.hpp"
#include "experiments/spec/run_spec.hpp"

// Parts of check() and resolve() that fill a file by themselves.
namespace loglog::detail {

/// What is wrong with the attention of a spec, resolved or not, whatever the data.
void check_attention(const RunSpec& spec, std::vector<SpecProblem>& problems);
/// Completes the attention of a spec whose heads and mlp_width are known: derived settings, the pattern's text, keys
/// that no layer's kind reads back at their defaults.
void resolve_attention(RunSpec& spec, std::vector<SpecProblem>& problems);

/// What is wrong with a probe and what it is trained with.
void check_probe(const RunSpec& spec, std::vector<SpecProblem>& problems);

}  // namespace loglog::detail
