#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <list>
#include <map>
#include <mutex>
#include <set>

#include "engine/base/error.hpp"
#include "engine/parallel/group.hpp"

namespace loglog::testing {

/// Where the threads of one process leave their messages. The strictest messages there can be: nothing is buffered, so
/// a send ends only once its receive is posted.
class MessageBoard {
  public:
    struct Route {
        int from;
        int to;
        int tag;
        auto operator<=>(const Route&) const = default;
    };

    Transfer send(Route route, std::span<const std::byte> message) {
        const std::scoped_lock lock{mutex_};
        auto& queue = queues_[route];
        const Transfer transfer{++last_};
        queue.sends.push_back({transfer, message});
        match(queue);
        return transfer;
    }
    Transfer receive(Route route, std::span<std::byte> message) {
        const std::scoped_lock lock{mutex_};
        auto& queue = queues_[route];
        const Transfer transfer{++last_};
        queue.receives.push_back({transfer, message});
        match(queue);
        return transfer;
    }
    /// Throws Error when nothing happens for long: a deadlock.
    void wait(Transfer transfer) {
        std::unique_lock lock{mutex_};
        const bool ended = changed_.wait_for(lock, std::chrono::seconds{60}, [&] { return done_.contains(transfer); });
        if (!ended) { throw Error{"deadlock: a message was never sent or received"}; }
        done_.erase(transfer);
    }
    /// Messages whose other side is missing, and transfers that nobody waited for.
    std::size_t left_over() {
        const std::scoped_lock lock{mutex_};
        std::size_t count = done_.size();
        for (const auto& [route, queue] : queues_) { count += queue.sends.size() + queue.receives.size(); }
        return count;
    }

  private:
    template <class Byte>
    struct Posted {
        Transfer transfer;
        std::span<Byte> message;
    };
    struct Queue {
        std::list<Posted<const std::byte>> sends;
        std::list<Posted<std::byte>> receives;
    };

    void match(Queue& queue) {
        while (!queue.sends.empty() && !queue.receives.empty()) {
            const auto& from = queue.sends.front();
            const auto& to = queue.receives.front();
            if (from.message.size() != to.message.size()) { throw Error{"a message of another size"}; }
            std::ranges::copy(from.message, to.message.begin());
            done_.insert(from.transfer);
            done_.insert(to.transfer);
            queue.sends.pop_front();
            queue.receives.pop_front();
            changed_.notify_all();
        }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<Route, Queue> queues_;
    std::set<Transfer> done_;
    std::int64_t last_ = 0;
};

/// One thread's side of a board: messages only.
class RendezvousGroup final : public Group {
  public:
    RendezvousGroup(MessageBoard& board, int rank, int size) : board_{&board}, rank_{rank}, size_{size} {}

    int rank() const noexcept override { return rank_; }
    int size() const noexcept override { return size_; }
    Transfer start_send(int to, int tag, std::span<const std::byte> message) override {
        if (tag < 0 || tag >= 1 << 14) { throw Error{"a tag that groups do not take"}; }
        return board_->send({rank_, to, tag}, message);
    }
    Transfer start_receive(int from, int tag, std::span<std::byte> message) override {
        return board_->receive({from, rank_, tag}, message);
    }
    void wait(Transfer transfer) override { board_->wait(transfer); }
    void progress() override {}

    void all_reduce_sum(std::span<float>) override { refuse(); }
    void all_reduce_sum(std::span<double>) override { refuse(); }
    void all_reduce_max(std::span<float>) override { refuse(); }
    void all_reduce_max(std::span<double>) override { refuse(); }
    Transfer start_all_reduce_sum(std::span<float>) override { refuse(); }
    Transfer start_all_reduce_sum(std::span<double>) override { refuse(); }
    Transfer start_reduce_sum(std::span<float>, int) override { refuse(); }
    Transfer start_broadcast(std::span<float>, int) override { refuse(); }
    void all_gather(std::span<const float>, std::span<float>) override { refuse(); }
    void all_gather(std::span<const double>, std::span<double>) override { refuse(); }
    void reduce_scatter_sum(std::span<float>, std::span<float>) override { refuse(); }
    void reduce_scatter_sum(std::span<double>, std::span<double>) override { refuse(); }

  private:
    [[noreturn]] static void refuse() { throw Error{"a pipeline needs no collectives"}; }

    MessageBoard* board_;
    int rank_;
    int size_;
};

}  // namespace loglog::testing
