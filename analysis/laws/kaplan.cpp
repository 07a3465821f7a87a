#include "analysis/laws/allocation.hpp"
#include "analysis/laws/form.hpp"
#include "analysis/laws/grid.hpp"

// L(N, D) = [(Nc/N)^(alphaN/alphaD) + Dc/D]^alphaD. Kaplan et al. 2020, arXiv:2001.08361, eq. 1.5. There is no floor:
// the loss tends to zero with N and D together.
// Searched as ln of (Nc/N)^alphaN and of (Dc/D)^alphaD over the middle of the data (each is the loss where the other
// term vanishes), alphaN, alphaD.

namespace loglog {
namespace {

struct Kaplan {
    static constexpr std::string_view name = "kaplan";
    static constexpr std::string_view formula = "L = [(Nc/N)^(alphaN/alphaD) + Dc/D]^alphaD";
    static constexpr std::array<std::string_view, 2> variables{"N", "D"};
    static constexpr std::array<ParameterSpec, 4> parameters{{{"Nc", -60, 60, link::scale(2, 0)},
                                                              {"Dc", -60, 60, link::scale(3, 1)},
                                                              {"alphaN", 1e-3, 10},
                                                              {"alphaD", 1e-3, 10}}};

    template <class T>
    static T log_loss(const T* q, const T* ln_x) {
        using std::exp;
        using std::log;
        const T of_n = (q[0] - q[2] * ln_x[0]) / q[3];
        const T of_d = q[1] / q[3] - ln_x[1];
        const T larger = of_n > of_d ? of_n : of_d;  // the sum's terms span hundreds of e-folds at small alphaD
        return q[3] * (larger + log(exp(of_n - larger) + exp(of_d - larger)));
    }
    static std::vector<Values> starts(const Points& points) {
        std::vector<Values> grid;
        const double typical = typical_loss(points);
        for (const double alpha_n : {0.03, 0.08, 0.2, 0.5}) {
            for (const double alpha_d : {0.03, 0.08, 0.2, 0.5}) {
                for (const double n_share : {0.1, 0.5, 0.9}) {
                    // Both terms' shares of the sum, L^(1/alphaD), at the centre.
                    const double sum = std::log(typical) / alpha_d;
                    grid.push_back({alpha_d * (sum + std::log(n_share)), alpha_d * (sum + std::log(1 - n_share)),
                                    alpha_n, alpha_d});
                }
            }
        }
        return grid;
    }

    /// With r = alphaN/alphaD the sum is Nc^r N^-r + Dc D^-1, which grows with the loss: the allocation is that of such
    /// a sum (Kaplan et al. write a = alphaD/(alphaN + alphaD), eq. B.1 to B.4, for optimally stopped runs).
    static Allocation allocation(const Values& p) {
        const double r = p[2] / p[3];
        return allocate(std::pow(p[0], r), p[1], r, 1.0);
    }
    static std::vector<NamedValue> derived(const Values& p) { return derived_of(allocation(p)); }
    static std::vector<NamedValue> predict(const Values& p, double budget) {
        return predict_optimum(allocation(p), budget, [&](double n, double d) {
            return std::pow(std::pow(p[0] / n, p[2] / p[3]) + p[1] / d, p[3]);
        });
    }
};

}  // namespace

const Law& kaplan_law() {
    static const FormLaw<Kaplan> law;
    return law;
}

}  // namespace loglog
