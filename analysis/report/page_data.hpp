#pragma once

#include <string>

#include "analysis/report/drawing.hpp"

namespace loglog {

/// What the page's scripts read, as JSON text: `datasets` (name -> rows) and `curves` (columns) that the charts draw,
/// `charts` [{id, spec}], `runs` (facts of every run, by name) and `specs` (`common`: path -> value as most runs have
/// it, `own`: run -> path -> value where it differs, null where it has none).
std::string page_data(const Report& report, const Drawing& drawing);

}  // namespace loglog
