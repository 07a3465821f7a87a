#include "analysis/laws/form.hpp"
#include "analysis/laws/grid.hpp"

// y(N, D) = c N^a D^b: how the optimal learning rate, or batch size, moves with model and data. Li et al. 2025 (Step
// Law), arXiv:2503.04715, eq. 1; Bi et al. 2024 (DeepSeek), arXiv:2401.02954, sec. 3.1, write both as powers of C
// alone, which is the form of one variable. y is whichever column the caller measured: analysis/tuning finds it from
// runs. Searched as ln y over the middle of the data, a, b.

namespace loglog {
namespace {

constexpr double tokens_per_parameter = 20;  // Hoffmann et al. 2022, table 3

struct LrOfTwo {
    static constexpr std::string_view name = "lr";
    static constexpr std::string_view formula = "y = c N^a D^b";
    static constexpr std::string_view measured = "y";
    static constexpr std::array<std::string_view, 2> variables{"N", "D"};
    static constexpr std::array<ParameterSpec, 3> parameters{
        {{"c", -100, 100, link::factor(1, 0, 2, 1)}, {"a", -10, 10}, {"b", -10, 10}}};

    template <class T>
    static T log_loss(const T* q, const T* ln_x) {
        return q[0] + q[1] * ln_x[0] + q[2] * ln_x[1];
    }
    static std::vector<Values> starts(const Points& points) {
        std::vector<Values> grid;
        for (const double a : {-1.0, 0.0, 1.0}) {
            for (const double b : {-1.0, 0.0, 1.0}) { grid.push_back({std::log(typical_loss(points)), a, b}); }
        }
        return grid;
    }
    static std::vector<NamedValue> derived(const Values&) { return {}; }
    /// A budget does not say how it is spent: taken is C = 6ND with 20 tokens per parameter.
    static std::vector<NamedValue> predict(const Values& p, double budget) {
        const double n = std::sqrt(budget / (6 * tokens_per_parameter));
        const double d = tokens_per_parameter * n;
        return {{"C", budget}, {"N", n}, {"D", d}, {"y", p[0] * std::pow(n, p[1]) * std::pow(d, p[2])}};
    }
};

struct LrOfOne {
    static constexpr std::string_view name = "lr";
    static constexpr std::string_view formula = "y = c X^a";
    static constexpr std::string_view measured = "y";
    static constexpr std::array<std::string_view, 1> variables{"X"};
    static constexpr std::array<ParameterSpec, 2> parameters{{{"c", -100, 100, link::factor(1, 0)}, {"a", -10, 10}}};

    template <class T>
    static T log_loss(const T* q, const T* ln_x) {
        return q[0] + q[1] * ln_x[0];
    }
    static std::vector<Values> starts(const Points& points) {
        std::vector<Values> grid;
        for (const double a : {-1.0, -0.3, 0.0, 0.3, 1.0}) { grid.push_back({std::log(typical_loss(points)), a}); }
        return grid;
    }
    static std::vector<NamedValue> derived(const Values&) { return {}; }
    static std::vector<NamedValue> predict(const Values& p, double x) {
        return {{"X", x}, {"y", p[0] * std::pow(x, p[1])}};
    }
};

}  // namespace

const Law& lr_law() {
    static const FormLaw<LrOfTwo> law;
    return law;
}

const Law& lr_law_of_one() {
    static const FormLaw<LrOfOne> law;
    return law;
}

}  // namespace loglog
