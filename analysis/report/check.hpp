#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "analysis/report/difference.hpp"
#include "analysis/report/recipe.hpp"

namespace loglog {

/// A page to be checked, and what it says it was made from.
struct PageToCheck {
    std::string file;
    std::string html;
    PageContent content;
    Recipe recipe;
};

/// Reads a page. Throws InputError for a file that is none, or that was written before pages carried their recipe.
PageToCheck open_page(const std::filesystem::path& file);

/// What became of a page's numbers.
struct CheckResult {
    std::string file;
    Recipe recipe;
    Closeness closeness = Closeness::exact;
    bool is_recomputed = false;           ///< not where runs are missing
    std::vector<std::string> notes;       ///< what is no failure in itself: another version, an edit of the page
    std::vector<Difference> runs;         ///< missing or changed
    std::vector<Difference> differences;  ///< of numbers and of the words around them
    std::size_t shown = 0;                ///< numbers of the text that were compared
    std::size_t data = 0;                 ///< numbers of the page's JSON that were compared

    bool passed() const { return is_recomputed && runs.empty() && differences.empty(); }
};

/// Compares a page with what its runs say now. `input` holds those of the recipe's runs that the registry still has, in
/// the recipe's order, and the program and processor that recompute; the rest is taken from the recipe.
CheckResult check_page(const PageToCheck& page, ReportInput input, int threads);

/// "number" lines for people, at most `most` differences of each kind, the others counted.
std::string to_text(const CheckResult& result, std::size_t most = 20);

/// The JSON object documented in docs/formats.md.
std::string to_json(const CheckResult& result);

}  // namespace loglog
