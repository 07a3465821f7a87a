#include <cmath>

#include "analysis/laws/law.hpp"
#include "engine/base/error.hpp"
#include "engine/base/nearest_name.hpp"

namespace loglog {

// One line a law, here and below.
const Law& power_law();
const Law& saturating_law();
const Law& chinchilla_law();
const Law& kaplan_law();
const Law& data_constrained_law();
const Law& broken_law();
const Law& lr_law();
const Law& error_law();

std::vector<const Law*> all_laws() {
    return {&power_law(),  &saturating_law(), &chinchilla_law(), &kaplan_law(), &data_constrained_law(),
            &broken_law(), &lr_law(),         &error_law()};
}

const Law& find_law(std::string_view name) {
    std::string known;
    std::vector<std::string> names;
    for (const Law* law : all_laws()) {
        if (law->name() == name) { return *law; }
        names.emplace_back(law->name());
        known += (known.empty() ? "" : ", ") + names.back();
    }
    throw InputError{"law '" + std::string{name} + "' is not known" + did_you_mean(name, names) +
                     "; it must be one of " + known};
}

std::size_t free_parameters(const Law& law) {
    std::size_t count = 0;
    for (const auto& spec : law.parameters()) { count += spec.is_free() ? 1 : 0; }
    return count;
}

Values coordinates_of(const Law& law, const Values& natural, std::span<const double> centre) {
    const auto specs = law.parameters();
    Values q{};
    std::array<double, max_variables> middle{};
    for (std::size_t k = 0; k < std::min(centre.size(), max_variables); ++k) {
        middle[k] = q[max_parameters + k] = centre[k];
    }
    for (const bool with_exponents : {false, true}) {
        for (std::size_t k = 0; k < specs.size(); ++k) {
            if (needs_exponents(specs[k].link) == with_exponents) {
                q[k] = coordinate_of(specs[k], natural[k], q.data(), middle.data(), [](double value) { return value; });
            }
        }
    }
    return q;
}

double predict_at(const Law& law, const Values& natural, std::span<const double> x) {
    std::array<double, max_variables> ln_x{};
    for (std::size_t k = 0; k < std::min(x.size(), max_variables); ++k) { ln_x[k] = std::log(x[k]); }
    return std::exp(law.log_loss(coordinates_of(law, natural, {}), ln_x));
}

}  // namespace loglog
