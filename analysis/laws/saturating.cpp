#include "analysis/laws/form.hpp"
#include "analysis/laws/grid.hpp"

// L(X) = E + (Xc/X)^alpha: a power law above a floor E. Henighan et al. 2020, arXiv:2010.14701, eq. 1.1.
// Searched as E, u = alpha (ln Xc - centre), alpha. E stays linear, so that "no floor" is the bound E = 0.

namespace loglog {
namespace {

struct Saturating {
    static constexpr std::string_view name = "saturating";
    static constexpr std::string_view formula = "L = E + (Xc/X)^alpha";
    static constexpr std::array<std::string_view, 1> variables{"X"};
    static constexpr std::array<ParameterSpec, 3> parameters{
        {{"E", 0, 1e6}, {"Xc", -60, 60, link::scale(2, 0)}, {"alpha", 1e-6, 10}}};

    template <class T>
    static T loss(const T* q, const T* ln_x) {
        using std::exp;
        return q[0] + exp(q[1] - q[2] * ln_x[0]);
    }
    static std::vector<Values> starts(const Points& points) {
        std::vector<Values> grid;
        const double smallest = smallest_loss(points);
        const double typical = typical_loss(points);
        for (const double share : {0.0, 0.3, 0.6, 0.85, 0.97}) {
            for (const double alpha : {0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.0}) {
                const double floor = share * smallest;
                grid.push_back({floor, std::log(typical - floor), alpha});
            }
        }
        return grid;
    }
    static std::vector<NamedValue> derived(const Values&) { return {}; }
    static std::vector<NamedValue> predict(const Values& natural, double x) {
        return {{"X", x}, {"loss", natural[0] + std::pow(natural[1] / x, natural[2])}};
    }
};

}  // namespace

const Law& saturating_law() {
    static const FormLaw<Saturating> law;
    return law;
}

}  // namespace loglog
