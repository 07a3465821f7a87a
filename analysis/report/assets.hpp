#pragma once

#include <string_view>

namespace loglog {

/// The page with {{markers}} to fill: assets/page.html.
std::string_view page_template();

/// Vega, Vega-Lite and Vega-Embed as one script.
std::string_view chart_libraries();

}  // namespace loglog
