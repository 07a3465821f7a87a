#pragma once

#include <string>
#include <vector>

#include "engine/data/probe_task.hpp"

namespace loglog {

enum class GridSize { small, full };

/// Which runs `loglog probe` trains.
struct ProbeGrid {
    ProbeTask task = ProbeTask::mqar;
    GridSize size = GridSize::small;
    std::vector<std::string> attentions;  ///< kinds, or hybrids such as "gdn-3:1" and "gdn-3:1-window"
};

/// "probe-mqar-small": the sweep that the grid's runs belong to.
std::string name_of(const ProbeGrid& grid);

/// The grid as a sweep's TOML file. Two layers of attention alone (a hybrid as many as it needs to have both of its
/// kinds), a few learning rates. Throws InputError for an attention that there is not, with the nearest name.
std::string sweep_text(const ProbeGrid& grid);

/// What was published about a kind on mqar, in a few words; empty where nothing was.
std::string published_recall(const std::string& attention);

}  // namespace loglog
