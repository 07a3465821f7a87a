#include "analysis/laws/allocation.hpp"
#include "analysis/laws/form.hpp"
#include "analysis/laws/grid.hpp"

// L(N, D, U) = E + A N'^-alpha + B D'^-beta, for D tokens of which U are distinct. Muennighoff et al. 2023,
// arXiv:2305.16264, eq. 5 and 6, appendix A:
//     D' = U + U RD (1 - exp(-(D/U - 1)/RD)),      repeated tokens are worth ever less,
//     N' = V + V RN (1 - exp(-(N/V - 1)/RN)),      so are parameters beyond those that U tokens call for,
// with V = min(N, G (U G)^(beta/alpha)), the compute-optimal size for U tokens (allocation.hpp). RD and RN are their
// R_D* and R_N*; infinite ones make repetition free. Their fit holds the other five from runs without repetition.
// Searched as chinchilla is, with 1/RD and 1/RN, so that "no decay" is the bound 0.

namespace loglog {
namespace {

/// (1 - e^-x)/x: the integral of e^-xt over t from 0 to 1. With I_m that of t^m e^-xt, I_0 is its value,
/// -I_1 and I_2 are its derivatives, and m I_(m-1) = x I_m + e^-x.
template <class T>
T decay(const T& argument) {
    const double x = plain(argument);
    const double end = std::exp(-x);
    if (!(std::abs(x) < 0.5)) {
        const double i0 = (1 - end) / x;
        const double i1 = (i0 - end) / x;
        return compose(argument, i0, -i1, (2 * i1 - end) / x);
    }
    // Where the quotients would cancel, I_2's series and the recurrence downwards.
    double i2 = 1.0 / 3;
    double term = 1;
    for (int k = 1; std::abs(term) > 1e-17; ++k) {
        term *= -x / k;
        i2 += term / (k + 3);
    }
    const double i1 = (x * i2 + end) / 2;
    return compose(argument, x * i1 + end, -i1, i2);
}

struct DataConstrained {
    static constexpr std::string_view name = "data-constrained";
    static constexpr std::string_view formula =
        "L = E + A N'^-alpha + B D'^-beta, D' = U + U RD (1 - exp(-(D/U - 1)/RD)), N' alike";
    static constexpr std::array<std::string_view, 3> variables{"N", "D", "U"};
    static constexpr std::size_t varying = 2;
    static constexpr std::array<ParameterSpec, 7> parameters{{{"E", 0, 1e6},
                                                              {"A", -60, 60, link::height(3, 0)},
                                                              {"B", -60, 60, link::height(4, 1)},
                                                              {"alpha", 1e-6, 10},
                                                              {"beta", 1e-6, 10},
                                                              {"RD", 0, 1e3, link::reciprocal},
                                                              {"RN", 0, 1e3, link::reciprocal}}};

    template <class T>
    static T log_loss(const T* q, const T* ln_x, const double* centre) {
        using std::exp;
        using std::log;
        const T ln_n = ln_x[0] + constant<T>(centre[0]);
        const T ln_d = ln_x[1] + constant<T>(centre[1]);
        T ln_u = ln_x[2] + constant<T>(centre[2]);
        if (ln_u > ln_d) { ln_u = ln_d; }
        const T ln_a = q[1] + q[3] * constant<T>(centre[0]);
        const T ln_b = q[2] + q[4] * constant<T>(centre[1]);
        const T ln_g = (log(q[3]) + ln_a - log(q[4]) - ln_b) / (q[3] + q[4]);
        T ln_v = ln_g + (ln_u + ln_g) * q[4] / q[3];
        if (ln_v > ln_n) { ln_v = ln_n; }
        const T n = effective(ln_n, ln_v, q[6]) - constant<T>(centre[0]);
        const T d = effective(ln_d, ln_u, q[5]) - constant<T>(centre[1]);
        return log(q[0] + exp(q[1] - q[3] * n) + exp(q[2] - q[4] * d));
    }
    /// A dense grid of RD and RN, in which the objective has several minima, beside one start of the other five; and a
    /// grid of those beside one RD and RN.
    static std::vector<Values> starts(const Points& points) {
        std::vector<Values> grid;
        const double smallest = smallest_loss(points);
        const double typical = typical_loss(points);
        const auto add = [&](double floor_share, double n_share, double alpha, double rd, double rn) {
            const double above = typical - floor_share * smallest;
            grid.push_back({floor_share * smallest, std::log(n_share * above), std::log((1 - n_share) * above), alpha,
                            alpha, 1 / rd, 1 / rn});
        };
        for (const double rd : {1.5, 4.0, 10.0, 25.0, 60.0, 150.0, 1000.0}) {
            for (const double rn : {0.7, 1.7, 4.0, 10.0, 50.0}) { add(0.6, 0.5, 0.35, rd, rn); }
        }
        for (const double floor_share : {0.3, 0.8}) {
            for (const double n_share : {0.35, 0.65}) {
                for (const double alpha : {0.25, 0.5}) { add(floor_share, n_share, alpha, 15, 5); }
            }
        }
        return grid;
    }

    /// Of runs without repetition.
    static std::vector<NamedValue> derived(const Values& p) { return derived_of(allocate(p[1], p[2], p[3], p[4])); }
    /// Without repetition: a budget does not say how many distinct tokens there are (predict_at() takes N, D and U).
    static std::vector<NamedValue> predict(const Values& p, double budget) {
        return predict_optimum(allocate(p[1], p[2], p[3], p[4]), budget, [&](double n, double d) {
            return p[0] + p[1] * std::pow(n, -p[3]) + p[2] * std::pow(d, -p[4]);
        });
    }

  private:
    /// ln of u + u R (1 - exp(-(x/u - 1)/R)), with 1/R given.
    template <class T>
    static T effective(const T& ln_x, const T& ln_u, const T& inverse_r) {
        using std::exp;
        using std::log;
        const T repeats = exp(ln_x - ln_u) - constant<T>(1.0);
        return ln_u + log(constant<T>(1.0) + repeats * decay(repeats * inverse_r));
    }
};

}  // namespace

const Law& data_constrained_law() {
    static const FormLaw<DataConstrained> law;
    return law;
}

}  // namespace loglog
