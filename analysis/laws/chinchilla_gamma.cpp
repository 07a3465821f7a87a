#include "analysis/laws/allocation.hpp"
#include "analysis/laws/form.hpp"
#include "analysis/laws/grid.hpp"

// L(N, D) = E + (A N^-alpha + B D^-beta)^gamma: the law of Hoffmann et al. 2022 with an exponent on the sum. gamma = 1
// is theirs; E = 0, beta = 1, gamma = alphaD is eq. 1.5 of Kaplan et al. 2020, arXiv:2001.08361, so that a fit says
// which of the two the data prefer. Which N and D are best under C = 6ND does not depend on gamma.
// Searched as E, ln of each term over the middle of the data, alpha, beta, gamma.

namespace loglog {
namespace {

struct ChinchillaGamma {
    static constexpr std::string_view name = "chinchilla";
    static constexpr std::string_view formula = "L = E + (A N^-alpha + B D^-beta)^gamma";
    static constexpr std::array<std::string_view, 2> variables{"N", "D"};
    static constexpr std::array<ParameterSpec, 6> parameters{{{"E", 0, 1e6},
                                                              {"A", -200, 200, link::height(3, 0)},
                                                              {"B", -200, 200, link::height(4, 1)},
                                                              {"alpha", 1e-6, 10},
                                                              {"beta", 1e-6, 10},
                                                              {"gamma", 0.02, 20}}};

    template <class T>
    static T log_loss(const T* q, const T* ln_x) {
        using std::exp;
        using std::log;
        return log(q[0] + exp(q[5] * log(exp(q[1] - q[3] * ln_x[0]) + exp(q[2] - q[4] * ln_x[1]))));
    }
    static std::vector<Values> starts(const Points& points) {
        std::vector<Values> grid;
        const double smallest = smallest_loss(points);
        const double typical = typical_loss(points);
        for (const double floor_share : {0.0, 0.5, 0.85}) {
            for (const double gamma : {0.3, 1.0, 2.0}) {
                const double sum = std::pow(typical - floor_share * smallest, 1 / gamma);
                for (const double n_share : {0.25, 0.75}) {
                    for (const double alpha : {0.15, 0.35, 0.7}) {
                        for (const double beta : {0.15, 0.35, 0.7}) {
                            grid.push_back({floor_share * smallest, std::log(n_share * sum),
                                            std::log((1 - n_share) * sum), alpha / gamma, beta / gamma, gamma});
                        }
                    }
                }
            }
        }
        return grid;
    }
    static std::vector<NamedValue> derived(const Values& p) { return derived_of(allocate(p[1], p[2], p[3], p[4])); }
    static std::vector<NamedValue> predict(const Values& p, double budget) {
        return predict_optimum(allocate(p[1], p[2], p[3], p[4]), budget, [&](double n, double d) {
            return p[0] + std::pow(p[1] * std::pow(n, -p[3]) + p[2] * std::pow(d, -p[4]), p[5]);
        });
    }
};

}  // namespace

const Law& chinchilla_gamma_law() {
    static const FormLaw<ChinchillaGamma> law;
    return law;
}

}  // namespace loglog
