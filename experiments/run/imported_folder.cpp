#include "experiments/run/imported_folder.hpp"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <system_error>

#include "db/files/publish.hpp"
#include "engine/base/error.hpp"
#include "experiments/run/run_folder.hpp"

namespace loglog {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

fs::path partial_folder(const fs::path& registry, const std::string& id) {
    return registry / "runs" / ("." + id + ".partial");
}

std::string pretty(const std::string& json) { return Json::parse(json).dump(2) + "\n"; }

void write_partial(const fs::path& registry, const ImportedRun& run, std::string_view environment) {
    const fs::path folder = partial_folder(registry, run.record.id);
    std::error_code error;
    fs::remove_all(folder, error);
    fs::create_directories(folder, error);
    if (error) { throw Error{system_failure(folder, "creating the run's folder", error.value())}; }
    RunRecord record = run.record;
    record.spec.clear();  // spec.json and tags.json hold these
    record.tags.clear();
    if (record.created_at.empty()) { record.created_at = utc_now(); }
    write_file(folder / "spec.json", pretty(run.record.spec), Durability::process);
    write_file(folder / "run.json", pretty(to_json(record)), Durability::process);
    write_file(folder / "environment.json", environment, Durability::process);
    if (!run.record.tags.empty()) { write_tags(folder, run.record.tags); }
    if (run.curve.empty()) { return; }
    write_curves(folder / "curves.h5", curves_of(run), {record.id, run.record.spec, to_text(record.state)});
}

/// Removes what was written of runs that are not to appear, unless told that they did.
class PartialFolders {
  public:
    explicit PartialFolders(const fs::path& registry) : registry_{registry} {}
    PartialFolders(const PartialFolders&) = delete;
    PartialFolders& operator=(const PartialFolders&) = delete;
    ~PartialFolders() {
        std::error_code ignored;
        for (const std::string& id : ids_) { fs::remove_all(partial_folder(registry_, id), ignored); }
    }

    void add(const ImportedRun& run, std::string_view environment) {
        ids_.push_back(run.record.id);
        write_partial(registry_, run, environment);
    }

    void publish() {
        for (const std::string& id : ids_) {
            std::error_code error;
            fs::rename(partial_folder(registry_, id), run_folder(registry_, id), error);
            if (error) {
                throw Error{system_failure(run_folder(registry_, id), "creating the run's folder", error.value())};
            }
        }
    }

    const std::vector<std::string>& ids() const noexcept { return ids_; }

  private:
    fs::path registry_;
    std::vector<std::string> ids_;
};

}  // namespace

ImportOutcome create_imported_folders(const fs::path& registry, std::span<const ImportedRun> runs,
                                      std::string_view environment) {
    ImportOutcome outcome;
    PartialFolders partial{registry};
    for (const ImportedRun& run : runs) {
        if (run_folder_exists(registry, run.record.id)) {
            outcome.known.push_back(record_from_folder(run_folder(registry, run.record.id)));
        } else {
            partial.add(run, environment);
        }
    }
    partial.publish();
    for (const std::string& id : partial.ids()) {
        outcome.created.push_back(record_from_folder(run_folder(registry, id)));
    }
    return outcome;
}

Curves curves_of(const ImportedRun& run) {
    constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
    Curves curves;
    for (const ImportedPoint& point : run.curve) {
        const auto tokens = static_cast<std::int64_t>(std::round(point.tokens.value_or(0)));
        if (point.train_loss) {
            StepLine line;
            line.step = point.step;
            line.loss = *point.train_loss;
            line.lr = point.lr.value_or(unknown);
            line.grad_norm = line.tokens_per_second = line.share_of_peak = unknown;
            line.tokens = tokens;
            line.flops = point.flops.value_or(unknown);
            line.seconds = point.seconds.value_or(unknown);
            curves.train.push_back(line);
        }
        if (point.loss) {
            EvalLine line;
            line.step = point.step;
            line.tokens = tokens;
            line.val_loss = *point.loss;
            line.bits_per_byte = unknown;
            line.perplexity = std::exp(*point.loss);
            curves.eval.push_back(line);
        }
    }
    return curves;
}

}  // namespace loglog
