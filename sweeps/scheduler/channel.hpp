#pragma once

#include <chrono>
#include <optional>

#include "sweeps/scheduler/messages.hpp"

namespace loglog {

/// A worker's line to its coordinator. Used by one thread.
class WorkerChannel {
  public:
    virtual ~WorkerChannel() = default;
    /// This worker's number, as in RunOrder::members.
    virtual int number() const = 0;
    virtual void send(const WorkerMessage& message) = 0;
    /// The next message, waiting for it up to `wait` without keeping a core busy.
    virtual std::optional<CoordinatorMessage> receive(std::chrono::milliseconds wait) = 0;
};

/// The coordinator's lines to its workers, numbered from 0. Used by one thread.
class CoordinatorChannel {
  public:
    struct Arrival {
        int worker;
        WorkerMessage message;
    };

    virtual ~CoordinatorChannel() = default;
    virtual int workers() const = 0;
    virtual void send(int worker, const CoordinatorMessage& message) = 0;
    virtual std::optional<Arrival> receive(std::chrono::milliseconds wait) = 0;
};

}  // namespace loglog
