#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "analysis/report/report.hpp"

namespace loglog {

/// What `report` was told on the command line.
struct ReportArguments {
    std::string sweep;
    std::string where;
    std::string out;  ///< empty: report.FORMAT
    std::string format;
    std::string check;
    std::string title;
    std::string baseline = "dense";
    std::string objective = "huber-log";
    double delta = 1e-3;
    int bootstrap = 1000;
    std::uint64_t seed = 1;
    bool json = false;
    std::string registry;
};

/// The options of the analysis. Throws InputError for a wrong objective.
ReportOptions report_options(const ReportArguments& arguments);

/// The chosen runs with everything a page shows of them. Throws InputError where there is none.
ReportInput gather_report(const ReportArguments& arguments);

/// The same of given runs, in this order: what a page lists is gathered again for its check. What is about the page and
/// not about the runs (title, selection, commands) stays empty.
ReportInput gather_runs(const std::filesystem::path& registry, std::vector<RunRecord> runs);

/// Hash of this program's file; empty where it cannot be read.
std::string program_binary();

/// Model of this machine's processor; empty where it is not known.
std::string cpu_model();

}  // namespace loglog
