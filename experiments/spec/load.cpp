#include "experiments/spec/load.hpp"

#include <iterator>

#include "experiments/spec/fields.hpp"
#include "experiments/spec/toml_reader.hpp"

namespace loglog {

RunSpec parse_run_spec(std::string_view text, const std::string& source, const std::vector<std::string>& overrides) {
    std::vector<SpecProblem> problems;
    std::vector<Assignment> assignments = read_toml(text, source, problems);
    for (const std::string& override : overrides) {
        auto more = read_override(override, problems);
        assignments.insert(assignments.end(), std::make_move_iterator(more.begin()),
                           std::make_move_iterator(more.end()));
    }
    const bool readable = problems.empty();
    std::vector<SpecProblem> of_fields;
    const RunSpec spec = spec_from(assignments, of_fields);
    // After a syntax error the fields are not all known: only the error itself is worth reading.
    if (readable) { problems = std::move(of_fields); }
    throw_if_any(problems);
    return spec;
}

RunSpec load_run_spec(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
    return parse_run_spec(read_text_file(file), file.string(), overrides);
}

}  // namespace loglog
