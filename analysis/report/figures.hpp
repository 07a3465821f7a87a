#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "analysis/report/report.hpp"

namespace loglog {

/// One Vega-Lite chart; its spec names the data sets it draws.
struct Chart {
    std::string id;       ///< unique on the page, the stem of its file
    std::string spec;     ///< JSON
    std::string label{};  ///< its name in the figure's switch
};

/// A figure: charts under one another, or one of several that a switch chooses, and the caption that explains them.
struct Figure {
    std::string title;
    std::string caption;
    std::vector<Chart> charts;
    std::string section = "figures";  ///< of the page, which it stands in
    std::string switch_title{};       ///< what the switch chooses; empty: all charts are shown
};

/// The figures of a page, those left out that have nothing to draw.
std::vector<Figure> figures(const Report& report);

/// The data sets the charts name, apart from "curves" and "validation_curves": name -> rows.
nlohmann::ordered_json datasets(const Report& report);

/// Thinned curves as columns, one object per run and kind: run, kind ("train" or "validation"), N, size (its class),
/// state, flops_per_token, tokens_per_step (null: see steps), tokens, steps, seconds, loss; the last two of the columns
/// are left out where they follow from the others or were not recorded.
nlohmann::ordered_json curve_columns(const Report& report);
/// The same as CSV: run, kind, N, size, state, tokens, step, flops, seconds, loss.
std::string curves_csv(const nlohmann::ordered_json& columns);

}  // namespace loglog
