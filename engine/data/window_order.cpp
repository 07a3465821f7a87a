#include "engine/data/window_order.hpp"

#include <string>

#include "engine/base/error.hpp"
#include "engine/base/permutation.hpp"

namespace loglog {

WindowOrder::WindowOrder(std::uint64_t split_tokens, std::int64_t context, Seed seed) : seed_{seed} {
    if (context <= 0) { throw InputError{"context is " + std::to_string(context) + " tokens but must be at least 1"}; }
    context_ = static_cast<std::uint64_t>(context);
    if (split_tokens < context_ + 1) {
        throw InputError{"the split has " + std::to_string(split_tokens) + " tokens, but one window of context " +
                         std::to_string(context) + " needs " + std::to_string(context_ + 1) +
                         " (add data, or use a shorter context)"};
    }
    windows_ = (split_tokens - 1) / context_;
}

std::uint64_t WindowOrder::window_at(std::uint64_t position) const noexcept {
    return KeyedPermutation{windows_, seed_, Stream::data_order, epoch(position)}(position % windows_);
}

}  // namespace loglog
