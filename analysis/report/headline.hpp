#pragma once

#include <string>
#include <string_view>

#include "analysis/report/report.hpp"

namespace loglog {

/// Which of the two laws of one variable a page's text speaks of first.
struct Headline {
    std::string law;                   ///< "power" or "saturating"
    std::string id;                    ///< of its fit
    const Inference* fit = nullptr;    ///< none where the power law could not be fitted
    const Inference* other = nullptr;  ///< the power law, where the saturating one leads
    double aicc_gain = 0;              ///< of `fit` over `other`
};

/// `place` is the variable and, of N, the count: "N-non_embedding", "D", "C". The saturating law leads where its AICc
/// is lower than the power law's by more than 10: then the latter has "essentially no support" (Burnham and Anderson
/// 2002, Model Selection and Multimodel Inference, sec. 2.6). Else the power law does, the plainer of the two.
Headline headline(const Report& report, std::string_view place);

}  // namespace loglog
