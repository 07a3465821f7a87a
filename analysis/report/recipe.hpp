#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analysis/report/report.hpp"

namespace loglog {

/// A run as a page remembers it.
struct RememberedRun {
    std::string id;
    RunFingerprint print;
    std::vector<std::string> values;  ///< of the columns remembered, in text; empty: not known
};

/// What recomputing a page needs besides the registry. It stands inside the page.
struct Recipe {
    std::string title;
    std::string selection;
    std::string created_at;
    std::string program_version;
    std::string analysis_version;
    std::string program_binary;
    std::string cpu;
    ReportOptions options;
    std::vector<std::string> commands;
    std::vector<RememberedRun> runs;  ///< in the order of the page
};

/// Names of the columns of the view `runs` that a page remembers of each run: all but the specification (which its
/// fingerprint covers), and but `tags` and `folder`.
const std::vector<std::string>& remembered_columns();

/// What a page remembers of a run.
RememberedRun remember(const ReportRun& run);

/// The elements that carry recipe and numbers: script elements of JSON, "report-recipe" and "report-numbers".
std::string recipe_elements(const Report& report);

/// Reads the recipe element's JSON. Throws InputError, naming `page`, where it is not what recipe_elements() wrote.
Recipe parse_recipe(std::string_view json, const std::string& page);

/// The page with the seal that recipe_elements() left room for: a hash of everything else.
std::string sealed(std::string page);

/// Whether the page is, byte for byte, as it was sealed.
bool seal_holds(const std::string& page);

}  // namespace loglog
