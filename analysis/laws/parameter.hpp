#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string_view>

namespace loglog {

/// How a reported parameter p follows from its search coordinate q, and from other coordinates and the centre of the
/// data (mean of ln X). At a held p, q is affine in the other coordinates, so holding p is exact.
struct Link {
    enum class Kind {
        value,       ///< p = q
        logarithm,   ///< ln p = q
        reciprocal,  ///< p = 1/q: q = 0 stands for "unbounded"
        place,       ///< ln p = q + centre: a value of X
        height,      ///< ln p = q + sum of sign * q[exponent] * centre: q is ln of p X^-exponent at the centre
        scale,       ///< ln p = centre + q / q[exponent]: q is ln of (p/X)^exponent at the centre
    };
    struct Term {
        int exponent = -1;  ///< a parameter's position; -1: no term
        int variable = 0;
        double sign = 1;
    };

    Kind kind = Kind::value;
    std::array<Term, 2> terms{};
};

namespace link {
inline constexpr Link logarithm{Link::Kind::logarithm, {}};
inline constexpr Link reciprocal{Link::Kind::reciprocal, {}};
constexpr Link place(int variable) { return {Link::Kind::place, {{{-1, variable, 1}}}}; }
/// Of A in A X^-exponent.
constexpr Link height(int exponent, int variable) { return {Link::Kind::height, {{{exponent, variable, 1}}}}; }
/// Of c in c X^exponent.
constexpr Link factor(int exponent, int variable) { return {Link::Kind::height, {{{exponent, variable, -1}}}}; }
/// Of c in c X^first Y^second.
constexpr Link factor(int first, int first_variable, int second, int second_variable) {
    return {Link::Kind::height, {{{first, first_variable, -1}, {second, second_variable, -1}}}};
}
/// Of Xc in (Xc/X)^exponent.
constexpr Link scale(int exponent, int variable) { return {Link::Kind::scale, {{{exponent, variable, 1}}}}; }
}  // namespace link

/// What a caller asks of one parameter.
struct Hold {
    enum class Kind { free, fixed, tied };

    Kind kind = Kind::free;
    double value = 0;  ///< of a fixed parameter, as reported
    int to = -1;       ///< of a tied one: the parameter whose value it takes
};

/// One parameter: its reported name, the bounds of the coordinate that stands for it in the search, how the two
/// relate, and whether it is free.
struct ParameterSpec {
    std::string_view name;
    double lower;
    double upper;
    Link link = {};
    Hold hold = {};

    bool is_free() const noexcept { return hold.kind == Hold::Kind::free; }
};

/// The reported value of parameter `k`.
inline double reported(const ParameterSpec& spec, const double* coordinates, std::size_t k, const double* centre) {
    const double q = coordinates[k];
    const auto& terms = spec.link.terms;
    switch (spec.link.kind) {
        case Link::Kind::value:
            return q;
        case Link::Kind::logarithm:
            return std::exp(q);
        case Link::Kind::reciprocal:
            return q > 0 ? 1 / q : std::numeric_limits<double>::infinity();
        case Link::Kind::place:
            return std::exp(q + centre[terms[0].variable]);
        case Link::Kind::scale:
            return std::exp(centre[terms[0].variable] + q / coordinates[terms[0].exponent]);
        case Link::Kind::height:
            break;
    }
    double ln_p = q;
    for (const auto& term : terms) {
        if (term.exponent >= 0) { ln_p += term.sign * coordinates[term.exponent] * centre[term.variable]; }
    }
    return std::exp(ln_p);
}

/// The coordinate that stands for the reported value `p`; `constant` makes a T of a double. The coordinates of the
/// exponents must be known already.
template <class T, class Constant>
T coordinate_of(const ParameterSpec& spec, double p, const T* coordinates, const double* centre,
                const Constant& constant) {
    const auto& terms = spec.link.terms;
    switch (spec.link.kind) {
        case Link::Kind::value:
            return constant(p);
        case Link::Kind::logarithm:
            return constant(std::log(p));
        case Link::Kind::reciprocal:
            return constant(1 / p);
        case Link::Kind::place:
            return constant(std::log(p) - centre[terms[0].variable]);
        case Link::Kind::scale:
            return coordinates[terms[0].exponent] * constant(std::log(p) - centre[terms[0].variable]);
        case Link::Kind::height:
            break;
    }
    T q = constant(std::log(p));
    for (const auto& term : terms) {
        if (term.exponent >= 0) { q -= coordinates[term.exponent] * constant(term.sign * centre[term.variable]); }
    }
    return q;
}

/// Whether the coordinate needs those of exponents.
constexpr bool needs_exponents(const Link& link) noexcept {
    return link.kind == Link::Kind::height || link.kind == Link::Kind::scale;
}

}  // namespace loglog
