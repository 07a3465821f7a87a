#include "analysis/laws/form.hpp"
#include "analysis/laws/grid.hpp"

// L(X) = E + b X^-c0 (1 + (X/d1)^(1/f1))^(-c1 f1): a power law of exponent c0 that bends at X = d1 into one of exponent
// c0 + c1, over a floor E; the bend is sharp for small f1. Caballero et al. 2023, arXiv:2210.14891, eq. 1 with n = 1
// (their a is E here).
// Searched as E, ln of b X^-c0 at the middle of the data, c0, c1, ln d1, ln f1.

namespace loglog {
namespace {

struct Broken {
    static constexpr std::string_view name = "broken";
    static constexpr std::string_view formula = "L = E + b X^-c0 (1 + (X/d1)^(1/f1))^(-c1 f1)";
    static constexpr std::array<std::string_view, 1> variables{"X"};
    static constexpr std::array<ParameterSpec, 6> parameters{{{"E", 0, 1e6},
                                                              {"b", -60, 60, link::height(2, 0)},
                                                              {"c0", -5, 10},
                                                              {"c1", -20, 20},
                                                              {"d1", -30, 30, link::place(0)},
                                                              {"f1", -5, 4, link::logarithm}}};

    template <class T>
    static T log_loss(const T* q, const T* ln_x) {
        using std::exp;
        using std::log;
        const T width = exp(q[5]);
        return log(q[0] + exp(q[1] - q[2] * ln_x[0] - q[3] * width * softplus((ln_x[0] - q[4]) / width)));
    }
    /// Breaks at quarters of the range of ln X; on either side, the slopes that a few shares of floor give there.
    static std::vector<Values> starts(const Points& points) {
        std::vector<Values> grid;
        const double smallest = smallest_loss(points);
        const double typical = typical_loss(points);
        const auto [low, high] = range_of(points, 0);
        for (const double floor_share : {0.0, 0.6, 0.95}) {
            const double floor = floor_share * smallest;
            for (const double place : {0.25, 0.5, 0.75, 0.95}) {
                for (const double before : {0.05, 0.4}) {
                    for (const double more : {-0.3, 0.5, 3.0}) {
                        for (const double ln_width : {-2.5, -1.0}) {
                            grid.push_back(
                                {floor, std::log(typical - floor), before, more, low + place * (high - low), ln_width});
                        }
                    }
                }
            }
        }
        return grid;
    }
    static std::vector<NamedValue> derived(const Values& p) { return {{"alpha_after", p[2] + p[3]}}; }
    static std::vector<NamedValue> predict(const Values& p, double x) {
        const double bend = p[3] * p[5] * softplus(std::log(x / p[4]) / p[5]);
        return {{"X", x}, {"loss", p[0] + p[1] * std::pow(x, -p[2]) * std::exp(-bend)}};
    }

  private:
    /// ln(1 + e^x) without overflow.
    template <class T>
    static T softplus(const T& x) {
        using std::exp;
        using std::log;
        if (x > constant<T>(0.0)) { return x + log(constant<T>(1.0) + exp(-x)); }
        return log(constant<T>(1.0) + exp(x));
    }
};

}  // namespace

const Law& broken_law() {
    static const FormLaw<Broken> law;
    return law;
}

}  // namespace loglog
