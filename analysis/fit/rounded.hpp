#pragma once

#include <string>

namespace loglog {

/// "1000000000", "1.5e+20": a value of a variable in 12 digits. Points keep logarithms, so the last digits of what is
/// taken back from them are none.
std::string twelve_digits(double x);

/// The number that twelve_digits() shows.
double rounded(double x);

}  // namespace loglog
