#pragma once

#include <string>
#include <string_view>

namespace loglog {

/// The page with {{markers}} to fill: assets/page.html.
std::string_view page_template();

/// assets/page.css.
std::string_view page_style();

/// What makes the page answer: assets/charts.js, run_panel.js, tables.js and page.js, which share one scope.
std::string page_scripts();

/// Vega, Vega-Lite and Vega-Embed as one script.
std::string_view chart_libraries();

}  // namespace loglog
