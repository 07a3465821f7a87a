#pragma once

#include <deque>
#include <vector>

#include "distributed/collectives/metered_group.hpp"

namespace loglog {

/// One rank alone: every collective leaves its memory as it is or copies it. Messages to itself are kept until
/// received.
class SingleGroup final : public MeteredGroup {
  public:
    double bytes_sent() const noexcept override { return 0; }

    int rank() const noexcept override { return 0; }
    int size() const noexcept override { return 1; }
    void all_reduce_sum(std::span<float>) override {}
    void all_reduce_sum(std::span<double>) override {}
    void all_reduce_max(std::span<float>) override {}
    void all_reduce_max(std::span<double>) override {}
    Transfer start_all_reduce_sum(std::span<float>) override { return {}; }
    Transfer start_all_reduce_sum(std::span<double>) override { return {}; }
    Transfer start_reduce_sum(std::span<float>, int) override { return {}; }
    Transfer start_broadcast(std::span<float>, int) override { return {}; }
    void all_gather(std::span<const float> mine, std::span<float> all) override;
    void all_gather(std::span<const double> mine, std::span<double> all) override;
    void reduce_scatter_sum(std::span<float> all, std::span<float> mine) override;
    void reduce_scatter_sum(std::span<double> all, std::span<double> mine) override;
    Transfer start_send(int to, int tag, std::span<const std::byte> message) override;
    Transfer start_receive(int from, int tag, std::span<std::byte> message) override;
    /// Throws Error for a receive whose message was never sent: nobody else will.
    void wait(Transfer transfer) override;
    void progress() override {}

  private:
    struct Sent {
        int tag;
        std::vector<std::byte> message;
    };
    struct Expected {
        Transfer transfer;
        int tag;
        std::span<std::byte> message;
    };
    std::deque<Sent> sent_;
    std::deque<Expected> expected_;
    Transfer last_{0};
};

}  // namespace loglog
