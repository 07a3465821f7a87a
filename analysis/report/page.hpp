#pragma once

#include <string>

#include "analysis/report/report.hpp"

namespace loglog {

/// The whole page as HTML.
std::string render_page(const Report& report);

}  // namespace loglog
