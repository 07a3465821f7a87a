#pragma once

#include <map>
#include <memory>
#include <string>

#include "analysis/laws/law.hpp"

namespace loglog {

/// A law by name, and what is asked of it beyond that.
struct LawChoice {
    std::map<std::string, double> fixed{};      ///< parameter -> the reported value it is held at
    std::map<std::string, std::string> tied{};  ///< parameter -> the one whose value it takes
    bool gamma = false;                         ///< chinchilla alone: an exponent on the sum of both terms
    bool one_variable = false;                  ///< lr alone: a power of one X, not of N and D
};

/// The law so chosen. Any parameter may be fixed: those whose search coordinate is not the reported value are mapped
/// exactly (parameter.hpp). Tied may be parameters that are searched as reported (exponents, E).
///
/// Throws InputError for unknown names (the nearest is named), values that the law does not allow, a parameter both
/// fixed and tied or tied to itself or to a tied one, and options that the law does not have.
std::shared_ptr<const Law> choose_law(std::string_view name, const LawChoice& choice);

}  // namespace loglog
