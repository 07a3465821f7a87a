#pragma once

#include "engine/parallel/group.hpp"

namespace loglog {

/// What one rank sends.
struct Traffic {
    double bytes = 0;     ///< that this rank sends, with ring algorithms: 2 (n - 1) / n of an all-reduced buffer
    double messages = 0;  ///< latencies that follow one another: 2 (n - 1) of an all-reduce

    Traffic& operator+=(const Traffic& other) noexcept {
        bytes += other.bytes;
        messages += other.messages;
        return *this;
    }
};

/// Adds up what collectives would send instead of sending it, like CountingContext does for kernels: memory is never
/// touched.
class CountingGroup final : public Group {
  public:
    CountingGroup(int rank, int size) : rank_{rank}, size_{size} {}

    const Traffic& total() const noexcept { return total_; }

    int rank() const noexcept override { return rank_; }
    int size() const noexcept override { return size_; }
    void all_reduce_sum(std::span<float> x) override { add(2, x.size_bytes()); }
    void all_reduce_sum(std::span<double> x) override { add(2, x.size_bytes()); }
    void all_reduce_max(std::span<float> x) override { add(2, x.size_bytes()); }
    void all_reduce_max(std::span<double> x) override { add(2, x.size_bytes()); }
    Transfer start_all_reduce_sum(std::span<float> x) override { return add(2, x.size_bytes()); }
    Transfer start_all_reduce_sum(std::span<double> x) override { return add(2, x.size_bytes()); }
    Transfer start_reduce_sum(std::span<float> x, int) override { return add(1, x.size_bytes()); }
    Transfer start_broadcast(std::span<float> x, int) override { return add(1, x.size_bytes()); }
    void all_gather(std::span<const float>, std::span<float> all) override { add(1, all.size_bytes()); }
    void all_gather(std::span<const double>, std::span<double> all) override { add(1, all.size_bytes()); }
    void reduce_scatter_sum(std::span<float> all, std::span<float>) override { add(1, all.size_bytes()); }
    void reduce_scatter_sum(std::span<double> all, std::span<double>) override { add(1, all.size_bytes()); }
    Transfer start_send(int, int, std::span<const std::byte> message) override {
        total_ += {static_cast<double>(message.size()), 1};
        return {};
    }
    Transfer start_receive(int, int, std::span<std::byte>) override { return {}; }
    void wait(Transfer) override {}
    void progress() override {}

  private:
    Transfer add(double passes, std::size_t bytes) {
        const double n = size_;
        total_ += {passes * (n - 1) / n * static_cast<double>(bytes), passes * (n - 1)};
        return {};
    }

    int rank_;
    int size_;
    Traffic total_;
};

}  // namespace loglog
