#include "analysis/curve/curve_forms.hpp"

#include "engine/base/error.hpp"

namespace loglog {

const CurveForm& find_curve_form(std::string_view name) {
    for (const CurveForm* form : {&multi_power_form(), &annealing_form()}) {
        if (form->name() == name) { return *form; }
    }
    throw InputError{"--form '" + std::string{name} + "' is not known; it must be auto, multi-power or annealing"};
}

}  // namespace loglog
