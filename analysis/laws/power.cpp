#include "analysis/laws/form.hpp"
#include "analysis/laws/grid.hpp"

// L(X) = (Xc/X)^alpha: a straight line on log-log axes. Kaplan et al. 2020, arXiv:2001.08361, eq. 1.1 to 1.3.
// Searched as u = alpha (ln Xc - centre), the height of the line over the middle of the data, and alpha.

namespace loglog {
namespace {

struct Power {
    static constexpr std::string_view name = "power";
    static constexpr std::string_view formula = "L = (Xc/X)^alpha";
    static constexpr std::array<std::string_view, 1> variables{"X"};
    static constexpr std::array<ParameterSpec, 2> parameters{{{"Xc", -60, 60, link::scale(1, 0)}, {"alpha", 1e-6, 10}}};

    template <class T>
    static T log_loss(const T* q, const T* ln_x) {
        return q[0] - q[1] * ln_x[0];
    }
    static std::vector<Values> starts(const Points& points) {
        std::vector<Values> grid;
        for (const double alpha : {0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6}) {
            grid.push_back({std::log(typical_loss(points)), alpha});
        }
        return grid;
    }
    static std::vector<NamedValue> derived(const Values&) { return {}; }
    static std::vector<NamedValue> predict(const Values& natural, double x) {
        return {{"X", x}, {"loss", std::pow(natural[0] / x, natural[1])}};
    }
};

}  // namespace

const Law& power_law() {
    static const FormLaw<Power> law;
    return law;
}

}  // namespace loglog
