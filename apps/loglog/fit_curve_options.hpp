#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace loglog {

struct FitArguments;

/// What only `--law curve` is told.
struct CurveArguments {
    std::optional<std::string> form;     ///< "auto", or a form's name
    std::string train;                   ///< SQL over the rows that are fitted; the others are held out
    std::optional<std::size_t> warmup;   ///< steps
    std::vector<std::string> schedules;  ///< specs of runs whose loss is to be predicted
};

void add_curve_options(CLI::App& verb, FitArguments& arguments);

/// Throws InputError where options of this law stand beside another law, or the other way round.
void refuse_curve_options(const FitArguments& arguments);

}  // namespace loglog
