#pragma once

#include <array>
#include <cmath>

namespace loglog {

/// A number with its gradient `v` and its Hessian `h` by `count` coordinates, as the scalar type of a formula. Each
/// second derivative is kept once (h's rows end at the diagonal), which takes a quarter of the work of a Jet of Jets.
template <int count>
struct SecondOrder {
    double a = 0;
    std::array<double, count> v{};
    std::array<double, count*(count + 1) / 2> h{};

    SecondOrder() = default;
    explicit SecondOrder(double value) : a{value} {}
    SecondOrder(double value, int coordinate) : a{value} { v[static_cast<std::size_t>(coordinate)] = 1; }

    /// The position of the derivative by coordinates j and k <= j.
    static constexpr int at(int j, int k) { return j * (j + 1) / 2 + k; }
};

/// f(x), given its value and derivatives at x.a.
template <int count>
SecondOrder<count> compose(const SecondOrder<count>& x, double value, double first, double second) {
    SecondOrder<count> f{value};
    for (int j = 0; j < count; ++j) { f.v[j] = first * x.v[j]; }
    for (int j = 0; j < count; ++j) {
        const double row = second * x.v[j];
        for (int k = 0; k <= j; ++k) { f.h[x.at(j, k)] = first * x.h[x.at(j, k)] + row * x.v[k]; }
    }
    return f;
}

template <int count>
SecondOrder<count>& operator+=(SecondOrder<count>& x, const SecondOrder<count>& y) {
    x.a += y.a;
    for (std::size_t j = 0; j < x.v.size(); ++j) { x.v[j] += y.v[j]; }
    for (std::size_t i = 0; i < x.h.size(); ++i) { x.h[i] += y.h[i]; }
    return x;
}

template <int count>
SecondOrder<count> operator+(SecondOrder<count> x, const SecondOrder<count>& y) {
    return x += y;
}

template <int count>
SecondOrder<count>& operator-=(SecondOrder<count>& x, const SecondOrder<count>& y) {
    x.a -= y.a;
    for (std::size_t j = 0; j < x.v.size(); ++j) { x.v[j] -= y.v[j]; }
    for (std::size_t i = 0; i < x.h.size(); ++i) { x.h[i] -= y.h[i]; }
    return x;
}

template <int count>
SecondOrder<count> operator-(SecondOrder<count> x, const SecondOrder<count>& y) {
    return x -= y;
}

template <int count>
SecondOrder<count> operator-(SecondOrder<count> x) {
    x.a = -x.a;
    for (double& derivative : x.v) { derivative = -derivative; }
    for (double& derivative : x.h) { derivative = -derivative; }
    return x;
}

template <int count>
SecondOrder<count> operator*(const SecondOrder<count>& x, const SecondOrder<count>& y) {
    SecondOrder<count> product{x.a * y.a};
    for (int j = 0; j < count; ++j) { product.v[j] = x.a * y.v[j] + y.a * x.v[j]; }
    for (int j = 0; j < count; ++j) {
        for (int k = 0; k <= j; ++k) {
            const int i = x.at(j, k);
            product.h[i] = x.a * y.h[i] + y.a * x.h[i] + (x.v[j] * y.v[k] + y.v[j] * x.v[k]);
        }
    }
    return product;
}

template <int count>
SecondOrder<count> operator/(const SecondOrder<count>& x, const SecondOrder<count>& y) {
    const double inverse = 1 / y.a;
    SecondOrder<count> quotient = x * compose(y, inverse, -inverse * inverse, 2 * inverse * inverse * inverse);
    quotient.a = x.a / y.a;  // rounded once, as a plain number's
    return quotient;
}

template <int count>
bool operator>(const SecondOrder<count>& x, const SecondOrder<count>& y) {
    return x.a > y.a;
}

template <int count>
SecondOrder<count> exp(const SecondOrder<count>& x) {
    const double value = std::exp(x.a);
    return compose(x, value, value, value);
}

template <int count>
SecondOrder<count> log(const SecondOrder<count>& x) {
    const double inverse = 1 / x.a;
    return compose(x, std::log(x.a), inverse, -inverse * inverse);
}

}  // namespace loglog
