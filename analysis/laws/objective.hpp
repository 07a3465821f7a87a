#pragma once

#include <cmath>
#include <string>
#include <string_view>

namespace loglog {

/// What a fit minimises: the weighted sum over points of rho(r).
///
/// r = ln(predicted) - ln(measured) (log) or predicted - measured (linear), losses in nats per token.
/// rho(r) = r^2/2 for |r| <= delta, delta (|r| - delta/2) beyond (huber; Huber 1964); r^2/2 (squares); |r| (absolute).
struct Objective {
    enum class Residual { log, linear };
    enum class Penalty { huber, squares, absolute };

    Residual residual = Residual::log;
    Penalty penalty = Penalty::huber;
    double delta = 1e-3;  ///< of `huber` alone

    /// Huber's threshold that behaves as this penalty: infinite for squares, `smoothing` for absolute.
    double threshold(double smoothing) const noexcept;
};

/// Parses "huber-log", "l1-log", "ls-log", "huber-linear", "l1-linear", "ls-linear". Throws InputError.
Objective parse_objective(std::string_view name, double delta);
std::string to_string(const Objective& objective);

/// Huber's penalty of one residual.
inline double huber(double residual, double delta) noexcept {
    const double size = std::abs(residual);
    return size <= delta ? residual * residual / 2 : delta * (size - delta / 2);
}

}  // namespace loglog
