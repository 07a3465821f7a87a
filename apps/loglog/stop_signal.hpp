#pragma once

#include <atomic>

namespace loglog {

/// From now on SIGINT, SIGTERM and SIGUSR1 (what batch systems send before the walltime) ask for an orderly stop: the
/// flag becomes true and work ends at its next safe point. A second signal of the same kind ends the process at once.
const std::atomic<bool>& watch_stop_signals();

}  // namespace loglog
