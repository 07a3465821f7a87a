#include "analysis/laws/law.hpp"
#include "engine/base/error.hpp"

namespace loglog {

// One line a law, here and below.
const Law& power_law();
const Law& saturating_law();
const Law& chinchilla_law();

std::vector<const Law*> all_laws() { return {&power_law(), &saturating_law(), &chinchilla_law()}; }

const Law& find_law(std::string_view name) {
    std::string known;
    for (const Law* law : all_laws()) {
        if (law->name() == name) { return *law; }
        known += (known.empty() ? "" : ", ") + std::string{law->name()};
    }
    throw InputError{"law '" + std::string{name} + "' is not known; it must be one of " + known};
}

}  // namespace loglog
