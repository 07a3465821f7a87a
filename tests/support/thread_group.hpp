#pragma once

#include <algorithm>
#include <barrier>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "engine/parallel/group.hpp"

namespace loglog::testing {

/// Ranks that are threads of one process. Sums are trees of neighbouring ranks, lower + higher. A started collective
/// runs when it is waited for, so that using its memory too early shows; the order of waits is that of the starts.
class ThreadGroup final : public Group {
  public:
    class Shared {
      public:
        explicit Shared(int size) : size_{size}, arrived_{size}, memory_(static_cast<std::size_t>(size)) {}

      private:
        friend class ThreadGroup;
        using Mail = std::map<std::tuple<int, int, int>, std::deque<std::vector<std::byte>>>;  // from, to, tag

        int size_;
        std::barrier<> arrived_;
        std::vector<const void*> memory_;  // what each rank gives to the collective under way
        std::mutex mutex_;
        std::condition_variable sent_;
        Mail mail_;
    };

    ThreadGroup(Shared& shared, int rank) : shared_{&shared}, rank_{rank} {}

    int rank() const noexcept override { return rank_; }
    int size() const noexcept override { return shared_->size_; }
    void all_reduce_sum(std::span<float> x) override { reduce(x, tree_sum<float>); }
    void all_reduce_sum(std::span<double> x) override { reduce(x, tree_sum<double>); }
    void all_reduce_max(std::span<float> x) override { reduce(x, largest<float>); }
    void all_reduce_max(std::span<double> x) override { reduce(x, largest<double>); }
    Transfer start_all_reduce_sum(std::span<float> x) override {
        return later([this, x] { all_reduce_sum(x); });
    }
    Transfer start_all_reduce_sum(std::span<double> x) override {
        return later([this, x] { all_reduce_sum(x); });
    }
    Transfer start_reduce_sum(std::span<float> x, int) override { return start_all_reduce_sum(x); }
    Transfer start_broadcast(std::span<float> x, int root) override {
        return later([this, x, root] {
            reduce(x, [root](const auto& ranks, std::size_t i) { return ranks[static_cast<std::size_t>(root)][i]; });
        });
    }
    void all_gather(std::span<const float> mine, std::span<float> all) override { gather(mine, all); }
    void all_gather(std::span<const double> mine, std::span<double> all) override { gather(mine, all); }
    void reduce_scatter_sum(std::span<float> all, std::span<float> mine) override { scatter(all, mine); }
    void reduce_scatter_sum(std::span<double> all, std::span<double> mine) override { scatter(all, mine); }
    Transfer start_send(int to, int tag, std::span<const std::byte> message) override {
        const std::scoped_lock lock{shared_->mutex_};
        shared_->mail_[{rank_, to, tag}].emplace_back(message.begin(), message.end());
        shared_->sent_.notify_all();
        return later([] {});
    }
    Transfer start_receive(int from, int tag, std::span<std::byte> message) override {
        return later([this, from, tag, message] {
            std::unique_lock lock{shared_->mutex_};
            auto& queue = shared_->mail_[{from, rank_, tag}];
            shared_->sent_.wait(lock, [&] { return !queue.empty(); });
            std::copy_n(queue.front().begin(), message.size(), message.begin());
            queue.pop_front();
        });
    }
    void wait(Transfer transfer) override {
        const auto work = started_.extract(transfer);
        if (!work.empty()) { work.mapped()(); }
    }
    void progress() override {}

  private:
    template <class T>
    using Ranks = std::vector<const T*>;

    template <class T>
    static T tree_sum(const Ranks<T>& ranks, std::size_t i) {
        std::vector<T> sums;
        for (const T* x : ranks) { sums.push_back(x[i]); }
        while (sums.size() > 1) {
            std::vector<T> pairs;
            for (std::size_t r = 0; r + 1 < sums.size(); r += 2) { pairs.push_back(sums[r] + sums[r + 1]); }
            if (sums.size() % 2 == 1) { pairs.push_back(sums.back()); }
            sums = pairs;
        }
        return sums[0];
    }
    template <class T>
    static T largest(const Ranks<T>& ranks, std::size_t i) {
        T result = ranks[0][i];
        for (const T* x : ranks) { result = std::max(result, x[i]); }
        return result;
    }

    /// Calls `work` with every rank's memory, which stays as it is until all are done.
    template <class T, class Work>
    void together(const T* mine, const Work& work) {
        shared_->memory_[static_cast<std::size_t>(rank_)] = mine;
        shared_->arrived_.arrive_and_wait();
        Ranks<T> ranks;
        for (const void* x : shared_->memory_) { ranks.push_back(static_cast<const T*>(x)); }
        work(ranks);
        shared_->arrived_.arrive_and_wait();
    }
    template <class T, class Combine>
    void reduce(std::span<T> x, const Combine& combine) {
        std::vector<T> result(x.size());
        together<T>(x.data(), [&](const Ranks<T>& ranks) {
            for (std::size_t i = 0; i < x.size(); ++i) { result[i] = combine(ranks, i); }
        });
        std::ranges::copy(result, x.begin());
    }
    template <class T>
    void gather(std::span<const T> mine, std::span<T> all) {
        together<T>(mine.data(), [&](const Ranks<T>& ranks) {
            for (std::size_t i = 0; i < all.size(); ++i) { all[i] = ranks[i / mine.size()][i % mine.size()]; }
        });
    }
    template <class T>
    void scatter(std::span<T> all, std::span<T> mine) {
        together<T>(all.data(), [&](const Ranks<T>& ranks) {
            const std::size_t first = mine.size() * static_cast<std::size_t>(rank_);
            for (std::size_t i = 0; i < mine.size(); ++i) { mine[i] = tree_sum<T>(ranks, first + i); }
        });
    }
    Transfer later(std::function<void()> work) {
        const Transfer transfer{++last_};
        started_.emplace(transfer, std::move(work));
        return transfer;
    }

    Shared* shared_;
    int rank_;
    std::map<Transfer, std::function<void()>> started_;
    std::int64_t last_ = 0;
};

/// Calls `body(group)` on `size` threads that are the ranks of one group.
template <class Body>
void on_ranks(int size, const Body& body) {
    ThreadGroup::Shared shared{size};
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < size; ++rank) {
        threads.emplace_back([&, rank] {
            ThreadGroup group{shared, rank};
            body(group);
        });
    }
}

}  // namespace loglog::testing
