#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <vector>

#include "engine/kernels/context.hpp"

namespace loglog {

/// Expects |actual - expected| <= ulps * epsilon of T * max(1, largest |expected|) for every element.
template <class T>
void expect_near_all(const std::vector<T>& actual, const std::vector<double>& expected, double ulps, const char* what) {
    ASSERT_EQ(actual.size(), expected.size()) << what;
    double largest = 1;
    for (const double value : expected) { largest = std::fmax(largest, std::abs(value)); }
    const double tolerance = ulps * std::numeric_limits<T>::epsilon() * largest;
    for (std::size_t i = 0; i < actual.size(); ++i) {
        ASSERT_NEAR(actual[i], expected[i], tolerance) << what << "[" << i << "]";
    }
}

template <class T>
double dot_product(const std::vector<T>& a, const std::vector<T>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) { sum += static_cast<double>(a[i]) * static_cast<double>(b[i]); }
    return sum;
}

/// Expects `gradient` to be the derivative of `loss()` with respect to each element of `x`, by central differences.
/// With a step of cbrt(epsilon) and values of order one, truncation and rounding leave about 1e-10 of error.
inline void expect_gradient(const std::vector<double>& gradient, std::vector<double>& x,
                            const std::function<double()>& loss, const char* what) {
    ASSERT_EQ(gradient.size(), x.size()) << what;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double value = x[i];
        const double step = 6e-6 * std::fmax(1.0, std::abs(value));
        x[i] = value + step;
        const double above = loss();
        x[i] = value - step;
        const double below = loss();
        x[i] = value;
        ASSERT_NEAR(gradient[i], (above - below) / (2 * step), 2e-9 * std::fmax(1.0, std::abs(gradient[i])))
            << what << "[" << i << "]";
    }
}

}  // namespace loglog
