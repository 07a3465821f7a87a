#include <cmath>

#include "analysis/curve/curve_forms.hpp"
#include "analysis/curve/rate_steps.hpp"

// Tissue, Wang and Wang 2024, "Scaling law with learning rate annealing", arXiv:2408.11029, eq. 1:
//
//   L(t) = L0 + A S1(t)^-alpha - C S2(t),  S1(t) = eta_0 + ... + eta_t,
//   S2(t) = sum_{i=1}^{t} m_i,  m_i = lambda m_{i-1} + (eta_{i-1} - eta_i),  lambda = 0.999
//
// The rise of the warm-up is part of S1 but not of the annealing: m = 0 until it ends.

namespace loglog {
namespace {

constexpr double memory = 0.999;  // lambda: a drop is felt over about a thousand steps

enum Coordinate : std::size_t { floor_loss, ln_a, alpha, ln_c };

constexpr std::array<CurveParameter, 4> specs{{{"L0", 0, 100}, {"A", -30, 30}, {"alpha", 1e-3, 5}, {"C", -25, 25}}};

class Annealing final : public CurveForm {
  public:
    std::string_view name() const override { return "annealing"; }
    std::string_view formula() const override {
        return "L = L0 + A S1^-alpha - C S2, S2 = sum_i m_i, m_i = 0.999 m_(i-1) + lr[i-1] - lr[i]";
    }
    std::span<const CurveParameter> parameters() const override { return specs; }

    std::vector<Exposure> exposures(const Curve& curve) const override {
        std::vector<Exposure> exposures(curve.steps.size());
        const std::size_t warm = end_of_warmup(curve.rates);
        double sum = 0;
        double momentum = 0;
        double annealing = 0;
        std::size_t step = 0;
        for (std::size_t i = 0; i < curve.steps.size(); ++i) {
            for (; step <= curve.steps[i]; ++step) {
                sum += curve.rates[step];
                if (step > warm) { momentum = memory * momentum + curve.rates[step - 1] - curve.rates[step]; }
                annealing += momentum;
            }
            exposures[i].ln_sum = std::log(sum);
            exposures[i].annealing = annealing;
        }
        return exposures;
    }

    CurveValues natural(const CurveValues& q, const CurveCentre& centre) const override {
        return {q[floor_loss], std::exp(q[ln_a] + q[alpha] * centre.ln_sum), q[alpha], std::exp(q[ln_c])};
    }
    CurveValues coordinates(const CurveValues& p, const CurveCentre& centre) const override {
        return {p[0], std::log(p[1]) - p[2] * centre.ln_sum, p[2], std::log(p[3])};
    }

    std::vector<CurveValues> shapes() const override {
        std::vector<CurveValues> shapes;
        for (const double a : {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0}) { shapes.push_back({1, 0, a, 0}); }
        return shapes;
    }
    std::array<double, 3> columns(const CurveValues& q, const Exposure& exposure,
                                  const CurveCentre& centre) const override {
        return {1.0, std::exp(-q[alpha] * (exposure.ln_sum - centre.ln_sum)), -exposure.annealing};
    }
    bool is_amplitude(std::size_t parameter) const override {
        return parameter == floor_loss || parameter == ln_a || parameter == ln_c;
    }
    CurveValues with_amplitudes(const CurveValues& shape, const std::array<double, 3>& amplitudes) const override {
        return {amplitudes[0], std::log(amplitudes[1]), shape[alpha], std::log(amplitudes[2])};
    }

    double loss(const CurveValues& q, const Exposure& exposure, const CurveCentre& centre) const override {
        return q[floor_loss] + std::exp(q[ln_a] - q[alpha] * (exposure.ln_sum - centre.ln_sum)) -
               std::exp(q[ln_c]) * exposure.annealing;
    }

    ExpandedLoss expand(const CurveValues& q, const Exposure& exposure, const CurveCentre& centre) const override {
        const double s = exposure.ln_sum - centre.ln_sum;
        const double power = std::exp(q[ln_a] - q[alpha] * s);
        const double annealed = -std::exp(q[ln_c]) * exposure.annealing;
        ExpandedLoss at;
        at.value = q[floor_loss] + power + annealed;
        at.gradient = {1, power, -s * power, annealed};
        at.hessian[ln_a][ln_a] = power;
        at.hessian[ln_a][alpha] = at.hessian[alpha][ln_a] = -s * power;
        at.hessian[alpha][alpha] = s * s * power;
        at.hessian[ln_c][ln_c] = annealed;
        return at;
    }
};

}  // namespace

const CurveForm& annealing_form() {
    static const Annealing form;
    return form;
}

}  // namespace loglog
