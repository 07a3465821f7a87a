#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "experiments/run/journal.hpp"

namespace loglog {

/// What a run measured, step by step, as an undisturbed run would have: what a resumption made obsolete is gone.
struct Curves {
    std::vector<StepLine> train;  ///< by step, each once
    std::vector<EvalLine> eval;   ///< by step, each once

    bool operator==(const Curves&) const = default;
};

/// Applies the journal's lines in order; see ResumedLine.
Curves curves_from(const Journal& journal);

/// Texts stored with the curves as attributes of the file.
struct CurvesLabel {
    std::string id;
    std::string spec;  ///< JSON
    std::string state;
};

/// Writes the HDF5 file (docs/formats.md lists its datasets) beside `path` and renames it there.
void write_curves(const std::filesystem::path& path, const Curves& curves, const CurvesLabel& label);
Curves read_curves_file(const std::filesystem::path& path);

/// The curves of the run in `run_folder`: from curves.h5 where the run is closed, from the journal while it is not.
/// Empty for a run that never started.
Curves read_curves(const std::filesystem::path& run_folder);

}  // namespace loglog
