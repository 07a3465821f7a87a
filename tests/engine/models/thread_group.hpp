#pragma once

#include <algorithm>
#include <barrier>
#include <functional>
#include <thread>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/parallel/group.hpp"

namespace loglog::testing {

/// Threads that play the ranks of a group. Sums are trees over neighbouring ranks.
class ThreadGroup final : public Group {
  public:
    /// What the threads share; their number is a power of two.
    struct Meeting {
        explicit Meeting(int size) : shown(static_cast<std::size_t>(size)), everyone{size} {}

        std::vector<const void*> shown;
        std::barrier<> everyone;
    };

    ThreadGroup(Meeting& meeting, int rank) : meeting_{&meeting}, rank_{rank} {}

    /// Calls `body(group)` on every rank.
    static void run(int size, const std::function<void(Group&)>& body) {
        Meeting meeting{size};
        std::vector<std::thread> threads;
        for (int rank = 0; rank < size; ++rank) {
            threads.emplace_back([&meeting, &body, rank] {
                ThreadGroup group{meeting, rank};
                body(group);
            });
        }
        for (auto& thread : threads) { thread.join(); }
    }

    int rank() const noexcept override { return rank_; }
    int size() const noexcept override { return static_cast<int>(meeting_->shown.size()); }
    void all_reduce_sum(std::span<float> x) override { reduce<float>(x, x, 0, plus<float>); }
    void all_reduce_sum(std::span<double> x) override { reduce<double>(x, x, 0, plus<double>); }
    void all_reduce_max(std::span<float> x) override { reduce<float>(x, x, 0, larger<float>); }
    void all_reduce_max(std::span<double> x) override { reduce<double>(x, x, 0, larger<double>); }
    Transfer start_all_reduce_sum(std::span<float> x) override { return all_reduce_sum(x), Transfer{}; }
    Transfer start_all_reduce_sum(std::span<double> x) override { return all_reduce_sum(x), Transfer{}; }
    Transfer start_reduce_sum(std::span<float> x, int) override { return all_reduce_sum(x), Transfer{}; }
    Transfer start_broadcast(std::span<float>, int) override { throw Error{"not played by threads"}; }
    void all_gather(std::span<const float> mine, std::span<float> all) override { gather(mine, all); }
    void all_gather(std::span<const double> mine, std::span<double> all) override { gather(mine, all); }
    void reduce_scatter_sum(std::span<float> all, std::span<float> mine) override {
        reduce<float>(all, mine, static_cast<std::size_t>(rank_) * mine.size(), plus<float>);
    }
    void reduce_scatter_sum(std::span<double> all, std::span<double> mine) override {
        reduce<double>(all, mine, static_cast<std::size_t>(rank_) * mine.size(), plus<double>);
    }
    Transfer start_send(int, int, std::span<const std::byte>) override { throw Error{"not played by threads"}; }
    Transfer start_receive(int, int, std::span<std::byte>) override { throw Error{"not played by threads"}; }
    void wait(Transfer) override {}
    void progress() override {}

  private:
    template <class T>
    static T plus(T a, T b) {
        return a + b;
    }
    template <class T>
    static T larger(T a, T b) {
        return std::max(a, b);
    }
    template <class T>
    const T* of(std::size_t rank) const {
        return static_cast<const T*>(meeting_->shown[rank]);
    }
    void show(const void* data) {
        meeting_->shown[static_cast<std::size_t>(rank_)] = data;
        meeting_->everyone.arrive_and_wait();
    }
    template <class T>
    T tree(std::size_t first, std::size_t count, std::size_t i, T (*combine)(T, T)) const {
        if (count == 1) { return of<T>(first)[i]; }
        return combine(tree(first, count / 2, i, combine), tree(first + count / 2, count / 2, i, combine));
    }
    /// to = what is combined over ranks of all[offset ..].
    template <class T>
    void reduce(std::span<const T> all, std::span<T> to, std::size_t offset, T (*combine)(T, T)) {
        show(all.data());
        std::vector<T> result(to.size());
        for (std::size_t i = 0; i < to.size(); ++i) {
            result[i] = tree(0, meeting_->shown.size(), offset + i, combine);
        }
        meeting_->everyone.arrive_and_wait();
        std::ranges::copy(result, to.begin());
    }
    template <class T>
    void gather(std::span<const T> mine, std::span<T> all) {
        show(mine.data());
        for (std::size_t rank = 0; rank < meeting_->shown.size(); ++rank) {
            std::copy_n(of<T>(rank), mine.size(), all.data() + rank * mine.size());
        }
        meeting_->everyone.arrive_and_wait();
    }

    Meeting* meeting_;
    int rank_;
};

}  // namespace loglog::testing
