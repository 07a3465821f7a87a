#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace loglog {

struct Report;
struct ReportRun;

/// 8 characters of Crockford's base 32 (40 bits of XXH3): tells things apart, does not protect against forgery.
std::string short_hash(std::string_view bytes);

/// What a run's numbers were when a report was made.
struct RunFingerprint {
    std::string record;  ///< hash of every column of the view `runs` but `tags` and `folder`, which change no number
    std::string curve;   ///< hash of everything measured along the run; empty: nothing was

    bool operator==(const RunFingerprint&) const = default;
};
RunFingerprint fingerprint(const ReportRun& run);

/// What a group of numbers was computed from: numbers with the same id come from the same data, code and options.
struct NumberSource {
    std::string id;                 ///< short_hash of everything below and of the fingerprints of `runs`
    std::string of;                 ///< a fit's id, "comparison", "runs", "curves" or "page"
    std::vector<std::string> runs;  ///< ids, in the order of the page
    std::vector<std::string> data;  ///< hashes of the data sets these were trained on, each once
    std::string code;               ///< analysis_version()
    std::vector<std::pair<std::string, std::string>> options;  ///< name and value, in a fixed order
};

/// Every group of a report's numbers: one a fit, one each for the comparison, the table of runs and their curves, and
/// one ("page") for what rests on several of these.
std::vector<NumberSource> number_sources(const Report& report);

/// The id of a group; that of "page" where there is no group of this name. Empty where the report has no sources.
std::string number_id(const Report& report, std::string_view of);

/// Identifies the code that determines a report's numbers: the program's version and a hash over the sources of
/// `analysis`.
const char* analysis_version() noexcept;

}  // namespace loglog
