#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/report/report.hpp"

namespace loglog {

/// When which run had which part of the machine, for one chart.
struct Utilisation {
    struct Bar {
        std::string run;
        std::string lane;  ///< "rank 3", or a host
        double start = 0;  ///< in `unit`
        double end = 0;
        std::string state;
    };
    std::vector<Bar> bars;
    std::vector<std::string> lanes;  ///< from top to bottom
    std::string unit;                ///< "seconds", "minutes" or "hours"
    std::string description;         ///< what the bars are and what share of the time they fill
};

/// From the jobs' timelines where some were recorded: jobs one after another, the time between them left out. Else from
/// each run's host, end and seconds of training. Nothing where neither is known.
std::optional<Utilisation> utilisation_of(const Report& report);

/// Seconds since 1970 of "2025-03-01T12:30:00Z"; nothing for other text.
std::optional<double> seconds_of_utc(const std::string& text);

}  // namespace loglog
