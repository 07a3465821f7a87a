#include "experiments/run/checkpoint_rules.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>
#include <string>
#include <system_error>
#include <utility>

#include "db/files/publish.hpp"
#include "db/hdf5/hdf5_file.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

namespace fs = std::filesystem;

fs::path kept_folder(const fs::path& run_folder) { return run_folder / "checkpoints"; }

bool contains(const std::vector<std::int64_t>& steps, std::int64_t step) {
    return std::find(steps.begin(), steps.end(), step) != steps.end();
}

/// The step that a whole number in front of ".h5" names.
std::optional<std::int64_t> step_of(const fs::path& file) {
    if (file.extension() != ".h5") { return std::nullopt; }
    const std::string text = file.stem().string();
    std::int64_t step = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), step);
    if (error != std::errc{} || end != text.data() + text.size() || step < 0) { return std::nullopt; }
    return step;
}

std::vector<fs::path> kept_files(const fs::path& run_folder) {
    std::vector<fs::path> files;
    if (!fs::is_directory(kept_folder(run_folder))) { return files; }
    for (const auto& entry : fs::directory_iterator{kept_folder(run_folder)}) { files.push_back(entry.path()); }
    return files;
}

std::vector<std::int64_t> kept_steps(const fs::path& run_folder) {
    std::vector<std::int64_t> steps;
    for (const auto& file : kept_files(run_folder)) {
        if (const auto step = step_of(file)) { steps.push_back(*step); }
    }
    std::sort(steps.begin(), steps.end(), std::greater<>{});
    return steps;
}

/// What a kill left of checkpoints that were being written.
void remove_unfinished(const fs::path& run_folder) {
    for (const auto& file : kept_files(run_folder)) {
        if (file.extension() == ".partial") { fs::remove(file); }
    }
}

/// Gives `file` its second name all at once. A symbolic link where the file system knows no others.
void link_to(const fs::path& file, const fs::path& name) {
    const auto beside = partial_path(name);
    fs::remove(beside);
    std::error_code refused;
    fs::create_hard_link(file, beside, refused);
    if (refused) { fs::create_symlink(fs::relative(file, name.parent_path()), beside); }
    publish(name, Durability::process);
}

/// Above every step where the file does not say.
std::int64_t stored_step(const fs::path& file) {
    constexpr auto unknown = std::numeric_limits<std::int64_t>::max();
    try {
        const std::string text = Hdf5File::open(file).read_attribute("/", "step");
        std::int64_t step = unknown;
        std::from_chars(text.data(), text.data() + text.size(), step);
        return step;
    } catch (const Error&) { return unknown; }
}

}  // namespace

std::vector<std::int64_t> obsolete_steps(std::span<const std::int64_t> steps, std::int64_t newest,
                                         const KeepRules& rules) {
    std::vector<std::int64_t> earlier{newest};
    for (const auto step : steps) {
        if (step < newest) { earlier.push_back(step); }
    }
    std::sort(earlier.begin(), earlier.end(), std::greater<>{});
    const auto last = std::clamp<std::size_t>(static_cast<std::size_t>(std::max<std::int64_t>(rules.keep_last, 1)), 1,
                                              earlier.size());
    earlier.resize(last);

    std::vector<std::int64_t> obsolete;
    for (const auto step : steps) {
        const bool for_good = step < newest && contains(rules.keep_at, step);
        if (!for_good && !contains(earlier, step)) { obsolete.push_back(step); }
    }
    return obsolete;
}

fs::path checkpoint_file(const fs::path& run_folder) { return run_folder / "checkpoint.h5"; }

fs::path kept_checkpoint_file(const fs::path& run_folder, std::int64_t step) {
    return kept_folder(run_folder) / (std::to_string(step) + ".h5");
}

fs::path checkpoint_target(const fs::path& run_folder, std::int64_t step, const KeepRules& rules) {
    return rules.keep_last > 1 || contains(rules.keep_at, step) ? kept_checkpoint_file(run_folder, step)
                                                                : checkpoint_file(run_folder);
}

void place_checkpoint(const fs::path& run_folder, std::int64_t step, const KeepRules& rules) {
    const auto target = checkpoint_target(run_folder, step, rules);
    if (target != checkpoint_file(run_folder)) { link_to(target, checkpoint_file(run_folder)); }
    for (const auto old : obsolete_steps(kept_steps(run_folder), step, rules)) {
        fs::remove(kept_checkpoint_file(run_folder, old));
    }
    remove_unfinished(run_folder);
}

void remove_checkpoints(const fs::path& run_folder, const KeepRules& rules) {
    fs::remove(checkpoint_file(run_folder));
    for (const auto step : kept_steps(run_folder)) {
        if (!contains(rules.keep_at, step)) { fs::remove(kept_checkpoint_file(run_folder, step)); }
    }
    remove_unfinished(run_folder);
    std::error_code not_empty;
    fs::remove(kept_folder(run_folder), not_empty);
}

fs::path checkpoint_path(const fs::path& run_folder, const CheckpointName& name) {
    return name ? kept_checkpoint_file(run_folder, *name) : checkpoint_file(run_folder);
}

std::vector<CheckpointName> newest_checkpoints(const fs::path& run_folder) {
    const auto steps = kept_steps(run_folder);
    std::vector<CheckpointName> names{steps.begin(), steps.end()};
    const auto plain = checkpoint_file(run_folder);
    const bool is_another_name = std::any_of(steps.begin(), steps.end(), [&](std::int64_t step) {
        std::error_code absent;
        return fs::equivalent(plain, kept_checkpoint_file(run_folder, step), absent);
    });
    if (!fs::exists(plain) || is_another_name) { return names; }
    const auto step = stored_step(plain);
    const auto place =
        std::find_if(names.begin(), names.end(), [&](const CheckpointName& name) { return *name <= step; });
    names.insert(place, std::nullopt);
    return names;
}

}  // namespace loglog
