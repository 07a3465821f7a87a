#include "analysis/laws/allocation.hpp"
#include "analysis/laws/form.hpp"
#include "analysis/laws/grid.hpp"

// L(N, D) = E + A N^-alpha + B D^-beta. Hoffmann et al. 2022, arXiv:2203.15556, sec. 3.3, eq. 10; the fit of
// Besiroglu et al. 2024, arXiv:2404.10102, is reproduced by the tests.
// Searched as E, ln of each term over the middle of the data, alpha, beta.

namespace loglog {
namespace {

struct Chinchilla {
    static constexpr std::string_view name = "chinchilla";
    static constexpr std::string_view formula = "L = E + A N^-alpha + B D^-beta";
    static constexpr std::array<std::string_view, 2> variables{"N", "D"};
    static constexpr std::array<ParameterSpec, 5> parameters{{{"E", 0, 1e6},
                                                              {"A", -60, 60, link::height(3, 0)},
                                                              {"B", -60, 60, link::height(4, 1)},
                                                              {"alpha", 1e-6, 10},
                                                              {"beta", 1e-6, 10}}};

    template <class T>
    static T loss(const T* q, const T* ln_x) {
        using std::exp;
        return q[0] + exp(q[1] - q[3] * ln_x[0]) + exp(q[2] - q[4] * ln_x[1]);
    }
    static std::vector<Values> starts(const Points& points) {
        std::vector<Values> grid;
        const double smallest = smallest_loss(points);
        const double typical = typical_loss(points);
        for (const double floor_share : {0.0, 0.4, 0.7, 0.93}) {
            const double above = typical - floor_share * smallest;
            for (const double n_share : {0.15, 0.5, 0.85}) {
                for (const double alpha : {0.07, 0.2, 0.35, 0.6, 1.1}) {
                    for (const double beta : {0.07, 0.2, 0.35, 0.6, 1.1}) {
                        grid.push_back({floor_share * smallest, std::log(n_share * above),
                                        std::log((1 - n_share) * above), alpha, beta});
                    }
                }
            }
        }
        return grid;
    }

    static std::vector<NamedValue> derived(const Values& p) { return derived_of(allocate(p[1], p[2], p[3], p[4])); }
    static std::vector<NamedValue> predict(const Values& p, double budget) {
        return predict_optimum(allocate(p[1], p[2], p[3], p[4]), budget, [&](double n, double d) {
            return p[0] + p[1] * std::pow(n, -p[3]) + p[2] * std::pow(d, -p[4]);
        });
    }
};

}  // namespace

const Law& chinchilla_law() {
    static const FormLaw<Chinchilla> law;
    return law;
}

}  // namespace loglog
