#include "apps/loglog/fit_procedures.hpp"

#include <algorithm>
#include <vector>

namespace loglog {

// One line a law, here and below.
void fit_envelope(const FitArguments&);
void fit_curve(const FitArguments&);
void fit_isoflop(const FitArguments&);
void fit_tuning(const FitArguments&);

const std::vector<FitProcedure>& all_procedures() {
    static const std::vector<FitProcedure> procedures{
        {"envelope", fit_envelope},
        {"curve", fit_curve},
        {"isoflop", fit_isoflop},
        {"tuning", fit_tuning},
    };
    return procedures;
}

const FitProcedure* find_procedure(std::string_view law) {
    const auto& procedures = all_procedures();
    const auto found =
        std::find_if(procedures.begin(), procedures.end(), [&](const auto& procedure) { return procedure.law == law; });
    return found == procedures.end() ? nullptr : &*found;
}

}  // namespace loglog
