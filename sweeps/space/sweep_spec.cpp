#include "sweeps/space/sweep_spec.hpp"

#include <algorithm>

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
    }
    return {};
}

bool states_layout(const SweepSpec& sweep) {
    const auto is_size = [](const std::string& key) {
        return key == "layout.dp" || key == "layout.tp" || key == "layout.pp";
    };
    return std::any_of(sweep.base.begin(), sweep.base.end(), [&](const Assignment& a) { return is_size(a.key); }) ||
           std::any_of(sweep.vary.begin(), sweep.vary.end(),
                       [&](const Axis& axis) { return std::any_of(axis.keys.begin(), axis.keys.end(), is_size); });
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
