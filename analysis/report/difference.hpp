#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analysis/report/page_content.hpp"

namespace loglog {

/// Something that a page says otherwise than its recomputation.
struct Difference {
    std::string id;     ///< the number's (NumberSource), or the run's; empty: none leads there
    std::string where;  ///< "fits row 3 column 7", "report-numbers: fits[power-D].fit.parameters.alpha.value"
    std::string was;    ///< on the page
    std::string is;     ///< recomputed
};

/// When two numbers are the same.
enum class Closeness {
    exact,    ///< the same program on the same processor: bit for bit
    printed,  ///< else: whole numbers likewise, others within one unit of the last digit printed, of the sixth where
              ///< there are more
};

/// Whether a page was made by this version of the analysis; else words and entries may have changed, numbers not.
enum class Wording { same, may_differ };

/// Whether the ids of numbers must be the same; not where the runs or the code behind them changed.
enum class Ids { same, may_differ };

struct PageAgreement {
    std::vector<Difference> differences;
    std::size_t shown = 0;       ///< numbers in the text that were compared
    std::size_t data = 0;        ///< numbers in the page's JSON that were compared
    std::size_t uncompared = 0;  ///< texts and entries that only one of the two has, or words otherwise
};

/// Compares everything two pages say: text with text, JSON with JSON. The recipe is left alone. What stands on one page
/// only, or is worded otherwise, is a difference or counted as uncompared, as `wording` says.
PageAgreement compare_pages(const PageContent& page, const PageContent& again, Closeness closeness, Wording wording,
                            Ids ids);

/// Whether two numbers, as they are written, are the same.
bool is_same_number(std::string_view was, std::string_view is, Closeness closeness);

/// The numbers in a text, in order, and the text with "#" in place of each. What touches a letter is no number.
struct NumbersInText {
    std::string words;
    std::vector<std::string> numbers;
};
NumbersInText numbers_in(std::string_view text);

}  // namespace loglog
