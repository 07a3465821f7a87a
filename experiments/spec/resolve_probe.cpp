#include "experiments/spec/probe_settings.hpp"
#include "experiments/spec/resolve_parts.hpp"

namespace loglog {

ProbeSettings probe_settings(const ProbeData& probe, std::int64_t context) {
    return {.task = probe.task, .context = context, .size = probe.size, .vocab = probe.vocab, .seed = Seed{probe.seed}};
}

double labels_per_sequence(const RunSpec& spec) {
    if (!spec.data.is_probe()) { return static_cast<double>(spec.model.context); }
    return ProbeExamples{probe_settings(spec.data.probe, spec.model.context)}.labels_per_example();
}

namespace detail {

void check_probe(const RunSpec& spec, std::vector<SpecProblem>& problems) {
    if (!spec.data.is_probe()) { return; }
    for (std::string& problem : problems_of(probe_settings(spec.data.probe, spec.model.context))) {
        problems.push_back({{}, "data.probe.task", std::move(problem)});
    }
    if (spec.train.document_boundaries) {
        problems.push_back({{}, "train.document_boundaries", "is true, but a probe's examples are no documents"});
    }
}

}  // namespace detail
}  // namespace loglog
