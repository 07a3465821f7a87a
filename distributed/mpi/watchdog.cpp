#include "distributed/mpi/watchdog.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <utility>

#include "distributed/mpi/session.hpp"

namespace loglog {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int tag = 0;

struct Beat {
    enum class Kind : std::uint8_t { alive, leaving, all_left };
    Kind kind = Kind::alive;
    bool waiting = false;
    std::int64_t number = 0;
    double seconds = 0;
    std::array<char, 64> host{};
    std::array<char, 64> place{};
    std::array<char, 160> operation{};
};

template <std::size_t size>
void set(std::array<char, size>& to, const std::string& text) {
    std::snprintf(to.data(), size, "%s", text.c_str());
}

/// Ends all ranks. Where another host cannot be reached, MPI's abort may wait for it for ever: this process ends anyway
/// after a while, and the launcher then sees a rank fail.
[[noreturn]] void end_job(const std::string& why) {
    std::thread{[] {
        std::this_thread::sleep_for(std::chrono::seconds{5});
        std::_Exit(1);
    }}.detach();
    MpiSession::abort(why, 1);
}

/// Seconds that this process was awake: a gap much longer than the period between looks counts as a short one, since
/// the whole job may have been suspended.
class AwakeClock {
  public:
    explicit AwakeClock(double longest_gap) : longest_gap_{longest_gap} {}
    double look() {
        const auto now = Clock::now();
        seconds_ += std::min(std::chrono::duration<double>(now - last_).count(), longest_gap_);
        last_ = now;
        return seconds_;
    }

  private:
    double longest_gap_;
    Clock::time_point last_ = Clock::now();
    double seconds_ = 0;
};

}  // namespace

class Watchdog::Watch {
  public:
    Watch(const Communicator& comm, const OperationLog& log, const std::string& place, const WatchdogLimits& limits)
        : comm_{comm},
          log_{log},
          limits_{limits},
          clock_{3 * limits.period_seconds},
          heard_(static_cast<std::size_t>(comm.size())),
          outgoing_(static_cast<std::size_t>(comm.size())),
          left_(static_cast<std::size_t>(comm.size()), false) {
        std::array<char, 64> host{};
        gethostname(host.data(), host.size() - 1);
        set(own_.host, host.data());
        set(own_.place, place);
        for (Heard& heard : heard_) { set(heard.last.operation, "start"); }
    }

    /// Receives, sends and judges. True once every rank has left.
    bool look(bool leaving) {
        const double now = clock_.look();
        update_own(now);
        receive(now);
        if (comm_.rank() == 0) {
            heard_[0] = {own_, now};
            left_[0] = leaving;
            const bool all_left = std::ranges::all_of(left_, [](bool left) { return left; });
            for (int rank = 1; rank < comm_.size(); ++rank) {
                tell(rank, all_left ? Beat::Kind::all_left : Beat::Kind::alive);
            }
            if (!all_left) { judge(now); }
            return all_left && all_sent();
        }
        if (all_left_) { return all_sent(); }
        tell(0, leaving ? Beat::Kind::leaving : Beat::Kind::alive);
        if (now - heard_[0].at > limits_.silent_seconds) { end_job(lost_rank_0(now)); }
        return false;
    }

  private:
    struct Heard {
        Beat last;
        double at = 0;
    };
    struct Outgoing {
        Beat beat;
        Request request;
        Beat::Kind last_kind = Beat::Kind::alive;
    };

    void update_own(double now) {
        const auto entry = log_.last();
        if (entry.number != own_.number || entry.waiting != own_.waiting) { since_ = now; }
        own_.number = entry.number;
        own_.waiting = entry.waiting;
        own_.seconds = now - since_;
        set(own_.operation, entry.operation);
    }

    void receive(double now) {
        while (const auto received = comm_.try_receive(tag)) {
            Heard& heard = heard_[static_cast<std::size_t>(received->from)];
            if (received->message.size() != sizeof(Beat)) { continue; }
            std::memcpy(&heard.last, received->message.data(), sizeof(Beat));
            heard.at = now;
            if (heard.last.kind == Beat::Kind::leaving) { left_[static_cast<std::size_t>(received->from)] = true; }
            if (heard.last.kind == Beat::Kind::all_left) { all_left_ = true; }
        }
    }

    /// Unless the last beat is still on its way. Nothing follows a farewell: the other side may be gone.
    void tell(int rank, Beat::Kind kind) {
        Outgoing& out = outgoing_[static_cast<std::size_t>(rank)];
        if (!out.request.test() || out.last_kind != Beat::Kind::alive) { return; }
        out.beat = own_;
        out.beat.kind = out.last_kind = kind;
        out.request = comm_.start_send(rank, tag, std::as_bytes(std::span{&out.beat, 1}));
    }

    bool all_sent() {
        return std::ranges::all_of(outgoing_, [&](Outgoing& out) { return out.request.test(); }) &&
               (comm_.rank() != 0 || std::ranges::all_of(outgoing_.begin() + 1, outgoing_.end(), [](const auto& out) {
                    return out.last_kind == Beat::Kind::all_left;
                }));
    }

    void judge(double now) const {
        std::vector<RankReport> reports;
        for (std::size_t rank = 0; rank < heard_.size(); ++rank) {
            const auto& [last, at] = heard_[rank];
            reports.push_back({.host = last.host.data(),
                               .place = last.place.data(),
                               .operation = last.operation.data(),
                               .number = last.number,
                               .waiting = last.waiting,
                               .seconds = last.seconds,
                               .silent_seconds = now - at,
                               .finished = left_[rank]});
        }
        if (const auto why = describe_stuck_ranks(reports, limits_)) { end_job(*why); }
    }

    std::string lost_rank_0(double now) const {
        return "rank 0 has not been heard of for " + std::to_string(static_cast<int>(now - heard_[0].at)) +
               " s: stopped, dead or cut off from the network. This rank's last operation: " + own_.operation.data();
    }

    const Communicator& comm_;
    const OperationLog& log_;
    const WatchdogLimits& limits_;
    AwakeClock clock_;
    Beat own_;
    double since_ = 0;
    std::vector<Heard> heard_;
    std::vector<Outgoing> outgoing_;
    std::vector<bool> left_;
    bool all_left_ = false;
};

Watchdog::Watchdog(const Communicator& run, const OperationLog& log, std::string place, const WatchdogLimits& limits)
    : comm_{Communicator::duplicate(run.native())},
      log_{log},
      place_{std::move(place)},
      limits_{limits},
      exceptions_{std::uncaught_exceptions()},
      watch_{[this] { keep_watch(); }},
      guard_{[this] { guard_watch(); }} {}

Watchdog::~Watchdog() {
    {
        const std::lock_guard lock{mutex_};
        phase_ = std::uncaught_exceptions() > exceptions_ ? Phase::stopped : Phase::leaving;
    }
    changed_.notify_all();
    watch_.join();
    {
        const std::lock_guard lock{mutex_};
        phase_ = Phase::stopped;
    }
    changed_.notify_all();
    guard_.join();
}

void Watchdog::keep_watch() try {
    Watch watch{comm_, log_, place_, limits_};
    const std::chrono::duration<double> period{limits_.period_seconds};
    std::unique_lock lock{mutex_};
    while (phase_ != Phase::stopped) {
        const bool leaving = phase_ == Phase::leaving;
        lock.unlock();
        if (watch.look(leaving)) { return; }
        ++looks_;
        lock.lock();
        // While leaving, ranks wait for one another: look more often, so that the end of a job is not delayed.
        const auto pause = leaving ? std::min(period, std::chrono::duration<double>{0.005}) : period;
        changed_.wait_for(lock, pause, [&] { return phase_ != (leaving ? Phase::leaving : Phase::watching); });
    }
} catch (const std::exception& error) { end_job(std::string{"the watchdog failed: "} + error.what()); }

// MPI itself may block for good in any call once a host or its launcher daemon is lost: Open MPI hands its warning
// about the lost connection to that daemon and waits for it. So somebody must watch who never calls MPI.
void Watchdog::guard_watch() {
    const std::chrono::duration<double> period{limits_.period_seconds};
    AwakeClock clock{3 * limits_.period_seconds};
    std::int64_t seen = 0;
    double seen_at = 0;
    std::unique_lock lock{mutex_};
    while (!changed_.wait_for(lock, period, [&] { return phase_ == Phase::stopped; })) {
        const double now = clock.look();
        const std::int64_t looks = looks_;
        if (looks != std::exchange(seen, looks)) { seen_at = now; }
        if (now - seen_at > limits_.silent_seconds) {
            std::fprintf(stderr, "loglog: %s: MPI does not return from a call; is a host lost?\n", place_.c_str());
            std::_Exit(1);
        }
    }
}

}  // namespace loglog
