#include "sweeps/plan/learning_rate_search.hpp"

#include <algorithm>
#include <cmath>

namespace loglog {

RateSearch search_rates(const std::vector<double>& rates,
                        const std::function<std::optional<double>(double lr)>& loss_of) {
    RateSearch search;
    for (const double lr : rates) { search.rates.push_back({lr, loss_of(lr)}); }
    std::vector<TriedRate>& tried = search.rates;
    const auto unknown = [](const TriedRate& rate) { return !rate.loss; };
    const auto less = [](const TriedRate& a, const TriedRate& b) { return *a.loss < *b.loss; };
    while (std::none_of(tried.begin(), tried.end(), unknown)) {
        const auto best = std::min_element(tried.begin(), tried.end(), less);  // the lowest rate if all diverged
        const bool first = best == tried.begin();
        search.bracketed = !first && best + 1 != tried.end();
        if (search.bracketed || search.extensions == most_extensions) {
            search.settled = true;
            if (std::isfinite(*best->loss)) { search.best_lr = best->lr; }
            return search;
        }
        const double edge = best->lr;
        const double beyond = edge * (edge / (first ? best[1].lr : best[-1].lr));
        tried.insert(first ? tried.begin() : tried.end(), TriedRate{beyond, loss_of(beyond)});
        ++search.extensions;
    }
    return search;
}

}  // namespace loglog
