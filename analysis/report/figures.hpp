#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "analysis/report/report.hpp"

namespace loglog {

/// One Vega-Lite chart; its spec names the data sets it draws.
struct Chart {
    std::string id;    ///< unique on the page, the stem of its file
    std::string spec;  ///< JSON
};

/// A figure: charts under one another and the caption that explains them.
struct Figure {
    std::string title;
    std::string caption;
    std::vector<Chart> charts;
    std::string section = "figures";  ///< of the page, which it stands in
};

/// The figures of a page, those left out that have nothing to draw.
std::vector<Figure> figures(const Report& report);

/// The data sets the charts name, apart from "curves": name -> rows.
nlohmann::ordered_json datasets(const Report& report);

/// Thinned curves as columns, one object per run and kind: run, kind ("train" or "validation"), N, state,
/// flops_per_token, tokens, loss.
nlohmann::ordered_json curve_columns(const Report& report);

}  // namespace loglog
