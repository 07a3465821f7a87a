#pragma once

#include <cstdint>

namespace loglog {

/// Tasks with known answers that show what a way of mixing tokens can do.
enum class ProbeTask : std::uint8_t { none, mqar, copy, palindrome, induction, noisy_copy };

}  // namespace loglog
