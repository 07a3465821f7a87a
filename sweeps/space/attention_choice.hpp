#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "experiments/spec/field_value.hpp"

namespace loglog {

/// One of the attentions that a sweep compares: the keys of a run in which it differs from the others.
struct AttentionChoice {
    std::string text;  ///< as written
    std::vector<Assignment> assignments;
};

/// Reads a choice: a name as attention_name() gives it ("gdn", "gdn-3:1", "gdn-3:1-window"), or a table of keys, which
/// are those of model.attention ({ kind = "gdn", every = 4 }) or, written in full, any key of a run. Adds what is wrong
/// to `problems`, under `key` and at `place`.
AttentionChoice read_attention_choice(const FieldValue& value, const std::string& key, const SourcePlace& place,
                                      std::vector<SpecProblem>& problems);

}  // namespace loglog
