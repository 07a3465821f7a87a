#pragma once

#include <string_view>
#include <vector>

#include "apps/loglog/fit_arguments.hpp"

namespace loglog {

/// What `fit --law NAME` does for laws that are more than one formula fitted to points: it reads, fits and prints.
struct FitProcedure {
    std::string_view law;
    void (*run)(const FitArguments&);
};

const std::vector<FitProcedure>& all_procedures();

/// The procedure of this name, or none.
const FitProcedure* find_procedure(std::string_view law);

}  // namespace loglog
