#include "apps/loglog/fit_procedures.hpp"

#include <algorithm>
#include <vector>

namespace loglog {

// One line a law, here and below.
void fit_envelope(const FitArguments&);
void fit_isoflop(const FitArguments&);

const FitProcedure* find_procedure(std::string_view law) {
    static const std::vector<FitProcedure> procedures{
        {"envelope", fit_envelope},
        {"isoflop", fit_isoflop},
    };
    const auto found =
        std::find_if(procedures.begin(), procedures.end(), [&](const auto& procedure) { return procedure.law == law; });
    return found == procedures.end() ? nullptr : &*found;
}

}  // namespace loglog
