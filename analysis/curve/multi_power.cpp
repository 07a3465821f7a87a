#include <cmath>

#include "analysis/curve/curve_forms.hpp"

// Luo et al. 2025, "A multi-power law for loss curve prediction across learning rate schedules", arXiv:2503.12811,
// eq. 2 to 4:
//
//   L(t) = L0 + A S1(t)^-alpha - B sum_{k=1}^{t} (eta_{k-1} - eta_k) G(eta_k^-gamma S_k(t))
//   S1(t) = eta_0 + ... + eta_t,  S_k(t) = eta_k + ... + eta_t,  G(x) = 1 - (C x + 1)^-beta
//
// As in the authors' program the warm-up is part of both sums: S1 holds their S_W, and the rise of the rate counts as
// negative drops, which after the warm-up add an almost constant B eta_peak.

namespace loglog {
namespace {

enum Coordinate : std::size_t { floor_loss, ln_a, alpha, ln_b, ln_c, beta, gamma };

constexpr std::array<CurveParameter, 7> specs{{
    {"L0", 0, 100},
    {"A", -30, 30},
    {"alpha", 1e-3, 5},
    {"B", -25, 40},
    {"C", -15, 25},
    {"beta", 1e-4, 10},
    {"gamma", -2, 4},
}};

/// The sum over drops, D, with its derivatives by ln C (c), beta (b) and gamma (g).
struct Drops {
    double value = 0;
    double c = 0, b = 0, g = 0;
    double cc = 0, cb = 0, cg = 0, bb = 0, bg = 0, gg = 0;
};

double drops_alone(const CurveValues& q, const Exposure& exposure, double ln_rate_centre) {
    double sum = 0;
    for (const auto& [weight, ln_rate, ln_sum] : exposure.drops) {
        const double x = std::exp(q[ln_c] - q[gamma] * (ln_rate - ln_rate_centre) + ln_sum);
        sum += weight - weight * std::exp(-q[beta] * std::log(1 + x));
    }
    return sum;
}

Drops expand_drops(const CurveValues& q, const Exposure& exposure, double ln_rate_centre) {
    Drops d;
    for (const auto& [weight, ln_rate, ln_sum] : exposure.drops) {
        const double rate = ln_rate - ln_rate_centre;
        const double x = std::exp(q[ln_c] - q[gamma] * rate + ln_sum);
        const double y = std::log(1 + x);                     // G = 1 - exp(-beta y)
        const double left = weight * std::exp(-q[beta] * y);  // dG/dy = beta (1 - G)
        const double p = x / (1 + x);                         // dy/dc; dy/dgamma = -rate p
        const double by_c = q[beta] * left * p;
        const double by_cc = by_c * ((1 - p) - q[beta] * p);
        const double by_cb = left * p * (1 - q[beta] * y);
        d.value += weight - left;
        d.c += by_c;
        d.b += left * y;
        d.g -= rate * by_c;
        d.cc += by_cc;
        d.cb += by_cb;
        d.cg -= rate * by_cc;
        d.bb -= left * y * y;
        d.bg -= rate * by_cb;
        d.gg += rate * rate * by_cc;
    }
    return d;
}

class MultiPower final : public CurveForm {
  public:
    std::string_view name() const override { return "multi-power"; }
    std::string_view formula() const override {
        return "L = L0 + A S1^-alpha - B sum_k (lr[k-1] - lr[k]) (1 - (1 + C lr[k]^-gamma S_k)^-beta)";
    }
    std::span<const CurveParameter> parameters() const override { return specs; }

    std::vector<Exposure> exposures(const Curve& curve) const override {
        const DropTree tree{curve.rates};
        std::vector<Exposure> exposures(curve.steps.size());
        double sum = 0;
        std::size_t step = 0;
        for (std::size_t i = 0; i < curve.steps.size(); ++i) {
            for (; step <= curve.steps[i]; ++step) { sum += curve.rates[step]; }
            exposures[i].ln_sum = std::log(sum);
            exposures[i].drops = tree.terms(curve.steps[i]);
        }
        return exposures;
    }

    CurveValues natural(const CurveValues& q, const CurveCentre& centre) const override {
        return {q[floor_loss],     std::exp(q[ln_a] + q[alpha] * centre.ln_sum),  q[alpha],
                std::exp(q[ln_b]), std::exp(q[ln_c] + q[gamma] * centre.ln_rate), q[beta],
                q[gamma]};
    }
    CurveValues coordinates(const CurveValues& p, const CurveCentre& centre) const override {
        return {p[0],
                std::log(p[1]) - p[2] * centre.ln_sum,
                p[2],
                std::log(p[3]),
                std::log(p[4]) - p[6] * centre.ln_rate,
                p[5],
                p[6]};
    }

    std::vector<CurveValues> shapes() const override {
        std::vector<CurveValues> shapes;
        for (const double a : {0.3, 0.6}) {
            for (const double c : {-1.0, 1.5, 4.0}) {  // at the typical rate a summed rate of exp(-c) is felt
                for (const double b : {0.3, 0.8}) {
                    for (const double g : {0.2, 0.6, 1.0}) { shapes.push_back({1, 0, a, 0, c, b, g}); }
                }
            }
        }
        return shapes;
    }
    std::array<double, 3> columns(const CurveValues& q, const Exposure& exposure,
                                  const CurveCentre& centre) const override {
        return {1.0, std::exp(-q[alpha] * (exposure.ln_sum - centre.ln_sum)),
                -drops_alone(q, exposure, centre.ln_rate)};
    }
    bool is_amplitude(std::size_t parameter) const override {
        return parameter == floor_loss || parameter == ln_a || parameter == ln_b;
    }
    CurveValues with_amplitudes(const CurveValues& shape, const std::array<double, 3>& amplitudes) const override {
        CurveValues q = shape;
        q[floor_loss] = amplitudes[0];
        q[ln_a] = std::log(amplitudes[1]);
        q[ln_b] = std::log(amplitudes[2]);
        return q;
    }

    double loss(const CurveValues& q, const Exposure& exposure, const CurveCentre& centre) const override {
        return q[floor_loss] + std::exp(q[ln_a] - q[alpha] * (exposure.ln_sum - centre.ln_sum)) -
               std::exp(q[ln_b]) * drops_alone(q, exposure, centre.ln_rate);
    }

    ExpandedLoss expand(const CurveValues& q, const Exposure& exposure, const CurveCentre& centre) const override {
        const double s = exposure.ln_sum - centre.ln_sum;
        const double power = std::exp(q[ln_a] - q[alpha] * s);
        const double scale = -std::exp(q[ln_b]);
        const Drops d = expand_drops(q, exposure, centre.ln_rate);
        ExpandedLoss at;
        at.value = q[floor_loss] + power + scale * d.value;
        at.gradient = {1, power, -s * power, scale * d.value, scale * d.c, scale * d.b, scale * d.g};
        auto& h = at.hessian;
        h[ln_a][ln_a] = power;
        h[ln_a][alpha] = h[alpha][ln_a] = -s * power;
        h[alpha][alpha] = s * s * power;
        for (const auto k : {ln_b, ln_c, beta, gamma}) { h[ln_b][k] = h[k][ln_b] = at.gradient[k]; }
        h[ln_c][ln_c] = scale * d.cc;
        h[beta][beta] = scale * d.bb;
        h[gamma][gamma] = scale * d.gg;
        h[ln_c][beta] = h[beta][ln_c] = scale * d.cb;
        h[ln_c][gamma] = h[gamma][ln_c] = scale * d.cg;
        h[beta][gamma] = h[gamma][beta] = scale * d.bg;
        return at;
    }
};

}  // namespace

const CurveForm& multi_power_form() {
    static const MultiPower form;
    return form;
}

}  // namespace loglog
