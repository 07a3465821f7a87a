#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/report/report.hpp"

namespace loglog {

/// What a report is written as.
enum class ReportFormat {
    html,  ///< the page, and its numbers, runs, curves and chart specs beside it
    md,    ///< findings and tables as Markdown
    json,  ///< the numbers
    csv,   ///< fits, runs left out, runs and curves, a file each
    png,   ///< an image a chart
    svg,   ///< likewise
    pdf,   ///< the page as it prints
};
const char* to_text(ReportFormat format) noexcept;

/// The format of this name; without one, what the extension of `out` says, else html. Throws InputError for a name or
/// an extension that is none.
ReportFormat report_format(std::string_view name, const std::filesystem::path& out);

/// Throws InputError where `out` is a folder, standard output (a report is several files), or is named like another
/// format than `format`. To be asked before the fits, which may take long.
void require_report_file(const std::filesystem::path& out, ReportFormat format);

/// Findings, caveats and tables, with the id of every table's numbers.
std::string to_markdown(const Report& report);

/// Every estimate of every fit, a row each: fit, number_id, law, variable, count, kind, name, value, se, low, high.
std::string fits_csv(const Report& report);

/// Runs that enter no fit of the page: run, reason.
std::string excluded_csv(const Report& report);

/// Makes the folder that `out` is to be written in, unless it is there. Throws Error where it cannot.
void make_folder_of(const std::filesystem::path& out);

/// Writes md (`out` itself), json (likewise) or csv (DIR/STEM-fits.csv, -excluded.csv, -runs.csv, -curves.csv), each
/// beside its final name and renamed. Returns the files. Throws Error where it cannot.
std::vector<std::filesystem::path> write_tables(const Report& report, ReportFormat format,
                                                const std::filesystem::path& out);

}  // namespace loglog
