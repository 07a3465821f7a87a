#include "analysis/report/figures.hpp"

#include <algorithm>

#include "analysis/report/attention_section.hpp"
#include "analysis/report/drawing.hpp"

namespace loglog {

std::set<std::string> runs_outside(const Report& report) {
    std::set<std::string> ids;
    for (const auto& exclusion : report.excluded) { ids.insert(exclusion.id); }
    return ids;
}

Drawing draw(const Report& report) {
    Drawing drawing;
    const SizeClasses sizes{report};
    add_curves(report, sizes, drawing);
    if (report.comparison) {
        for (auto& figure : attention_figures(*report.comparison)) { drawing.figures.push_back(std::move(figure)); }
        drawing.sets.update(attention_datasets(*report.comparison));
    }
    if (report.excluded.size() < report.input.runs.size()) {
        add_laws(report, sizes, drawing);
        add_isoflop(report, drawing);
        add_frontier(report, sizes, drawing);
    }
    add_learning_rates(report, sizes, drawing);
    add_probes(report, drawing);
    add_timeline(report, sizes, drawing);
    return drawing;
}

std::vector<Figure> figures(const Report& report) { return draw(report).figures; }

nlohmann::ordered_json datasets(const Report& report) { return draw(report).sets; }

}  // namespace loglog
