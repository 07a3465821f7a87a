#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <type_traits>
#include <vector>

#include "db/registry/run_record.hpp"

namespace loglog {

/// A column of the view `runs` as text that reads back exactly; empty where it is not known.
template <class Member>
std::string column_text(const Member& member) {
    if constexpr (std::is_same_v<Member, std::string>) {
        return member;
    } else if constexpr (std::is_same_v<Member, RunState>) {
        return to_text(member);
    } else if constexpr (std::is_same_v<Member, std::vector<std::string>>) {
        return fmt::format("{}", fmt::join(member, ","));
    } else {
        return member ? fmt::format("{}", *member) : std::string{};
    }
}

}  // namespace loglog
