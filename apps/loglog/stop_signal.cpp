#include "apps/loglog/stop_signal.hpp"

#include <csignal>

namespace loglog {
namespace {

// A signal handler reaches nothing but statics.
std::atomic<bool> stop_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void request_stop(int) { stop_requested = true; }

}  // namespace

const std::atomic<bool>& watch_stop_signals() {
    struct sigaction action {};
    action.sa_handler = request_stop;
    action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1}) { sigaction(signal, &action, nullptr); }
    return stop_requested;
}

}  // namespace loglog
