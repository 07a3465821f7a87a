#pragma once

#include <filesystem>
#include <vector>

#include "analysis/report/formats.hpp"

namespace loglog {

/// Draws the report's charts, or prints its page, through a headless Chromium.
///
/// svg, png   DIR/STEM-CHART.svg or .png for every chart, light, on white; PNG at two pixels a point
/// pdf        `out` itself: the page as it prints
/// returns    the files written
///
/// Throws Error where no Chromium is found, or it fails; InputError where the report has no chart to draw.
std::vector<std::filesystem::path> draw_report(const Report& report, ReportFormat format,
                                               const std::filesystem::path& out);

}  // namespace loglog
