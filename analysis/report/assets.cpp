#include "analysis/report/assets.hpp"

// Named by the linker that wrapped the files (cmake/EmbedFile.cmake).
extern "C" {
extern const char _binary_page_html_start[];
extern const char _binary_page_html_end[];
extern const char _binary_page_css_start[];
extern const char _binary_page_css_end[];
extern const char _binary_charts_js_start[];
extern const char _binary_charts_js_end[];
extern const char _binary_run_panel_js_start[];
extern const char _binary_run_panel_js_end[];
extern const char _binary_tables_js_start[];
extern const char _binary_tables_js_end[];
extern const char _binary_page_js_start[];
extern const char _binary_page_js_end[];
extern const char _binary_vega_bundle_js_start[];
extern const char _binary_vega_bundle_js_end[];
}

namespace loglog {

std::string_view page_template() { return {_binary_page_html_start, _binary_page_html_end}; }
std::string_view page_style() { return {_binary_page_css_start, _binary_page_css_end}; }

std::string page_scripts() {
    std::string scripts{_binary_charts_js_start, _binary_charts_js_end};
    scripts.append(_binary_run_panel_js_start, _binary_run_panel_js_end);
    scripts.append(_binary_tables_js_start, _binary_tables_js_end);
    return scripts.append(_binary_page_js_start, _binary_page_js_end);
}

std::string_view chart_libraries() { return {_binary_vega_bundle_js_start, _binary_vega_bundle_js_end}; }

}  // namespace loglog
