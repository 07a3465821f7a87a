#pragma once

#include <span>
#include <string>
#include <string_view>

namespace loglog {

/// " (did you mean 'layers'?)" for the known name with the fewest edits from `name`, if that is few enough to be a
/// slip; else empty.
std::string did_you_mean(std::string_view name, std::span<const std::string> known);

}  // namespace loglog
