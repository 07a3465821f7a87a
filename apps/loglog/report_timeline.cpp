#include "apps/loglog/report_timeline.hpp"

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/base/error.hpp"
#include "engine/models/state_size.hpp"
#include "experiments/run/estimate.hpp"
#include "experiments/spec/run_spec.hpp"
#include "sweeps/scheduler/timeline.hpp"

namespace loglog {

std::vector<RankTime> rank_times(const std::filesystem::path& registry, const std::vector<ReportRun>& runs) {
    std::set<std::string> sweeps;
    std::set<std::string> ids;  // of runs that the page lists: ones that are added to a sweep later change no page
    for (const auto& run : runs) {
        ids.insert(run.record.id);
        if (!run.record.sweep.empty()) { sweeps.insert(run.record.sweep); }
    }
    std::vector<RankTime> times;
    for (const auto& sweep : sweeps) {
        std::ifstream in{timeline_file(registry, sweep)};
        for (std::string line; std::getline(in, line);) {
            const auto entry = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
            if (!entry.is_object()) { continue; }
            try {
                if (!ids.contains(entry.at("id").get<std::string>())) { continue; }
                times.push_back({entry.at("id").get<std::string>(), entry.at("started_at").get<std::string>(),
                                 entry.at("ranks").get<std::vector<int>>(), entry.at("job_ranks").get<int>(),
                                 entry.at("start").get<double>(), entry.at("end").get<double>(),
                                 entry.at("state").get<std::string>()});
            } catch (const nlohmann::json::exception&) { continue; }  // of another version
        }
    }
    return times;
}

std::optional<double> state_floats(const RunRecord& record) {
    try {
        const RunSpec spec = run_spec_from_json(record.spec);
        return static_cast<double>(state_elements(decoder_config(spec), spec.model.context));
    } catch (const Error&) { return std::nullopt; }  // an imported run, or a specification of another version
}

}  // namespace loglog
