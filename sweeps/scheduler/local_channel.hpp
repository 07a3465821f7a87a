#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "sweeps/scheduler/channel.hpp"

namespace loglog {

/// A queue between threads.
template <class Message>
class Mailbox {
  public:
    void put(Message message) {
        {
            const std::lock_guard lock{mutex_};
            messages_.push_back(std::move(message));
        }
        arrived_.notify_one();
    }

    std::optional<Message> take(std::chrono::milliseconds wait) {
        std::unique_lock lock{mutex_};
        if (!arrived_.wait_for(lock, wait, [&] { return !messages_.empty(); })) { return std::nullopt; }
        Message message = std::move(messages_.front());
        messages_.pop_front();
        return message;
    }

  private:
    std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<Message> messages_;
};

/// Coordinator and workers in one process, each in a thread of its own.
class LocalChannels {
  public:
    explicit LocalChannels(int workers);

    CoordinatorChannel& coordinator() noexcept { return coordinator_; }
    WorkerChannel& worker(int index) { return workers_.at(static_cast<std::size_t>(index)); }

  private:
    class Worker final : public WorkerChannel {
      public:
        Worker(LocalChannels& channels, int index) : channels_{&channels}, index_{index} {}
        int number() const override { return index_; }
        void send(const WorkerMessage& message) override;
        std::optional<CoordinatorMessage> receive(std::chrono::milliseconds wait) override;

      private:
        LocalChannels* channels_;
        int index_;
    };

    class Coordinator final : public CoordinatorChannel {
      public:
        explicit Coordinator(LocalChannels& channels) : channels_{&channels} {}
        int workers() const override { return static_cast<int>(channels_->workers_.size()); }
        void send(int worker, const CoordinatorMessage& message) override;
        std::optional<Arrival> receive(std::chrono::milliseconds wait) override;

      private:
        LocalChannels* channels_;
    };

    Mailbox<CoordinatorChannel::Arrival> to_coordinator_;
    std::vector<std::unique_ptr<Mailbox<CoordinatorMessage>>> to_workers_;
    std::vector<Worker> workers_;
    Coordinator coordinator_;
};

}  // namespace loglog
