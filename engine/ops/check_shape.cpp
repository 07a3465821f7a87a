#include "engine/ops/check_shape.hpp"

#include <string>

namespace loglog::detail {

void check_ids(const Tape& tape, const char* operation, const char* argument, std::span<const std::int32_t> ids,
               std::int64_t lowest, std::int64_t vocab) {
    if (tape.counting()) { return; }
    for (std::size_t place = 0; place < ids.size(); ++place) {
        if (ids[place] < lowest || ids[place] >= vocab) {
            throw InputError{std::string{operation} + ": '" + argument + "' holds " + std::to_string(ids[place]) +
                             " at place " + std::to_string(place) + " but the vocabulary has " + std::to_string(vocab) +
                             " tokens (was the data built with another tokenizer?)"};
        }
    }
}

}  // namespace loglog::detail
