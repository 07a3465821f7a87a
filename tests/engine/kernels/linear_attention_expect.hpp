#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "tests/engine/kernels/linear_attention_case.hpp"

namespace loglog {

inline double rms(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) { sum += value * value; }
    return values.empty() ? 0 : std::sqrt(sum / static_cast<double>(values.size()));
}

inline double largest_of(const std::vector<double>& values) {
    double largest = 0;
    for (const double value : values) { largest = std::fmax(largest, std::abs(value)); }
    return largest;
}

template <class T>
void expect_within(const std::vector<T>& actual, const std::vector<double>& expected, double tolerance,
                   const std::string& what) {
    ASSERT_EQ(actual.size(), expected.size());
    double worst = 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < actual.size(); ++i) {
        const double error = std::abs(actual[i] - expected[i]);
        if (!(error <= worst)) {
            worst = error;
            at = i;
        }
    }
    EXPECT_LE(worst, tolerance) << what << "[" << at << "]";
}

/// What a case of one sequence must give by the quadratic form.
inline std::vector<double> quadratic_out(const LinearAttentionCase<double>& c) {
    std::vector<double> out(c.out.size());
    for (std::size_t h = 0; h < c.sizes.heads; ++h) {
        const auto head = quadratic_form(PlainHead{c, 0, h});
        for (std::size_t t = 0; t < c.sizes.time; ++t) {
            for (std::size_t e = 0; e < c.sizes.value_dim; ++e) {
                out[t * c.width() + h * c.sizes.value_dim + e] = head[t * c.sizes.value_dim + e];
            }
        }
    }
    return out;
}

}  // namespace loglog
