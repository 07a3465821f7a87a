#pragma once

#include <string>

#include "analysis/report/report.hpp"

namespace loglog {

struct Drawing;

/// The whole page as HTML; `drawing` is draw(report).
std::string render_page(const Report& report, const Drawing& drawing);
std::string render_page(const Report& report);

}  // namespace loglog
