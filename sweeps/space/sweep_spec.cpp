#include "sweeps/space/sweep_spec.hpp"

#include <algorithm>
#include <cmath>

#include "experiments/spec/fields.hpp"
#include "experiments/spec/toml_reader.hpp"
#include "sweeps/space/sweep_reader.hpp"

namespace loglog {

std::string to_string(SweepKind kind) {
    switch (kind) {
        case SweepKind::grid:
            return "grid";
        case SweepKind::isoflop:
            return "isoflop";
        case SweepKind::ladder:
            return "ladder";
        case SweepKind::attention:
            return "attention";
    }
    return {};
}

bool gives(const SweepSpec& sweep, std::string_view key) {
    const auto in_axis = [&](const Axis& axis) {
        return std::find(axis.keys.begin(), axis.keys.end(), key) != axis.keys.end();
    };
    return std::any_of(sweep.vary.begin(), sweep.vary.end(), in_axis) ||
           std::any_of(sweep.base.begin(), sweep.base.end(), [&](const Assignment& a) { return a.key == key; });
}

bool states_layout(const SweepSpec& sweep) {
    return gives(sweep, "layout.dp") || gives(sweep, "layout.tp") || gives(sweep, "layout.pp");
}

std::int64_t layers_from_aspect(const SweepSpec& sweep, std::int64_t width) {
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::round(static_cast<double>(width) / sweep.aspect)));
}

void assign_layers(const SweepSpec& sweep, std::vector<Assignment>& assignments) {
    if (gives(sweep, "model.layers")) { return; }
    RunSpec sized;
    for (const Assignment& assignment : assignments) {
        // A width that is none is reported where the run is put together.
        if (assignment.key == "model.width") { static_cast<void>(assign(sized, assignment.key, assignment.value)); }
    }
    assignments.push_back({"model.layers", {layers_from_aspect(sweep, sized.model.width)}, {}});
}

SweepSpec parse_sweep_spec(std::string_view text, const std::string& source,
                           const std::vector<std::string>& overrides) {
    std::vector<SpecProblem> problems;
    const std::vector<Assignment> assignments = read_toml(text, source, problems);
    throw_if_any(problems);  // after a syntax error nothing else is worth reading

    detail::SweepReader reader{problems};
    for (const Assignment& assignment : assignments) { reader.read(assignment); }
    for (const std::string& override : overrides) {
        for (const Assignment& assignment : read_override(override, problems)) { reader.read(assignment); }
    }
    SweepSpec spec = reader.finish();
    throw_if_any(problems);
    return spec;
}

SweepSpec load_sweep_spec(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
    return parse_sweep_spec(read_text_file(file), file.string(), overrides);
}

}  // namespace loglog
