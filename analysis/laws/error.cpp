#include "analysis/laws/form.hpp"
#include "analysis/laws/grid.hpp"

// Err(X) = eps - k exp(-gamma X), with X a loss: average downstream error from the loss. Gadre et al. 2024,
// arXiv:2403.08540, eq. 5. eps is the error of guessing.
// Searched as eps, ln k, gamma.

namespace loglog {
namespace {

struct ErrorOfLoss {
    static constexpr std::string_view name = "error";
    static constexpr std::string_view formula = "Err = eps - k exp(-gamma X)";
    static constexpr std::string_view measured = "error";
    static constexpr std::array<std::string_view, 1> variables{"X"};
    static constexpr std::array<ParameterSpec, 3> parameters{
        {{"eps", 0, 1e6}, {"k", -60, 60, link::logarithm}, {"gamma", 1e-6, 1e3}}};

    /// Not a number where the formula is not positive: the search turns back there.
    template <class T>
    static T log_loss(const T* q, const T* ln_x, const double* centre) {
        using std::exp;
        using std::log;
        const T x = exp(ln_x[0] + constant<T>(centre[0]));
        return log(q[0] - exp(q[1] - q[2] * x));
    }
    static std::vector<Values> starts(const Points& points) {
        std::vector<Values> grid;
        const double largest = largest_loss(points);
        const double typical = typical_loss(points);
        const double x = std::exp(points.centre[0]);
        for (const double excess : {1.01, 1.05, 1.2, 2.0}) {
            for (const double gamma : {0.1, 0.4, 1.0, 3.0}) {
                const double eps = excess * largest;
                grid.push_back({eps, std::log(eps - typical) + gamma * x, gamma});
            }
        }
        return grid;
    }
    static std::vector<NamedValue> derived(const Values&) { return {}; }
    static std::vector<NamedValue> predict(const Values& p, double x) {
        return {{"X", x}, {"error", p[0] - p[1] * std::exp(-p[2] * x)}};
    }
};

}  // namespace

const Law& error_law() {
    static const FormLaw<ErrorOfLoss> law;
    return law;
}

}  // namespace loglog
