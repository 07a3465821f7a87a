#include "engine/data/split.hpp"

#include <algorithm>
#include <string>

#include "engine/base/error.hpp"

namespace loglog {

namespace {

// The first training document (that of the smallest hash) becomes `split`'s only one.
void move_one_from_train(std::vector<Split>& splits, Split split) {
    if (std::count(splits.begin(), splits.end(), Split::train) < 2) { return; }
    *std::find(splits.begin(), splits.end(), Split::train) = split;
}

}  // namespace

std::string_view to_string(Split split) noexcept {
    switch (split) {
        case Split::train:
            return "train";
        case Split::validation:
            return "validation";
        case Split::test:
            return "test";
    }
    return "train";
}

void validate(const SplitFractions& fractions) {
    const auto check = [](const char* name, double value) {
        if (!(value >= 0.0 && value < 1.0)) {
            throw InputError{std::string{"the "} + name + " fraction is " + std::to_string(value) +
                             " but must be at least 0 and below 1"};
        }
    };
    check("validation", fractions.validation);
    check("test", fractions.test);
    if (fractions.validation + fractions.test >= 1.0) {
        throw InputError{"the validation and test fractions sum to " +
                         std::to_string(fractions.validation + fractions.test) + ", which leaves nothing to train on"};
    }
}

std::vector<Split> assign_splits(std::span<const ContentHash> hashes, const SplitFractions& fractions) {
    validate(fractions);
    const auto split_of = [&](const ContentHash& hash) {
        const double u = static_cast<double>(hash.high >> 11) * 0x1.0p-53;
        if (u < fractions.validation) { return Split::validation; }
        return u < fractions.validation + fractions.test ? Split::test : Split::train;
    };
    std::vector<Split> splits(hashes.size());
    std::transform(hashes.begin(), hashes.end(), splits.begin(), split_of);

    const bool is_all_held_out = std::find(splits.begin(), splits.end(), Split::train) == splits.end();
    if (is_all_held_out && !splits.empty()) { splits.back() = Split::train; }
    const auto holds = [&](Split split) { return std::find(splits.begin(), splits.end(), split) != splits.end(); };
    if (fractions.validation > 0.0 && !holds(Split::validation)) { move_one_from_train(splits, Split::validation); }
    if (fractions.test > 0.0 && !holds(Split::test)) { move_one_from_train(splits, Split::test); }
    return splits;
}

}  // namespace loglog
