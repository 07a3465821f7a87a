#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <vector>

#include "distributed/collectives/reduction_steps.hpp"
#include "distributed/collectives/scratch.hpp"
#include "distributed/collectives/transfers.hpp"
#include "distributed/mpi/communicator.hpp"

namespace loglog {

/// Reduces x over a communicator by messages between pairs, in the order that `steps` give. x is cut into chunks, a few
/// of which are under way at once, so that one is added up while the next travels.
///
/// `Combine{}(a, b)` joins the lower ranks' value a and the higher ranks' value b.
template <class T, class Combine>
class StepwiseReduction final : public Operation {
  public:
    /// Chunks under way at once. Chunk i has tag first_tag + i % lanes: those of one tag follow one another.
    static constexpr std::size_t lanes = 3;

    struct Plan {
        const Communicator* comm;
        const std::vector<ReductionStep>* steps;
        int first_tag;
        std::shared_ptr<ScratchPool> pool;
    };

    StepwiseReduction(const Description& description, const Plan& plan, std::span<T> x)
        : Operation{description}, comm_{*plan.comm}, steps_{*plan.steps}, x_{x}, scratch_{plan.pool} {
        for (std::size_t i = 0; i < lanes; ++i) {
            lanes_[i].next_chunk = i;
            lanes_[i].scratch = scratch_.template as<T>().subspan(i * chunk, chunk);
            lanes_[i].tag = plan.first_tag + static_cast<int>(i);
            take_next_chunk(lanes_[i]);
        }
    }

    bool advance() override {
        bool ended = true;
        for (Lane& lane : lanes_) {
            while (!lane.idle && advance_step(lane)) {
                if (++lane.step == steps_.size()) { take_next_chunk(lane); }
            }
            ended = ended && lane.idle;
        }
        return ended;
    }

  private:
    using Action = ReductionStep::Action;
    static constexpr std::size_t chunk = ScratchPool::block_bytes / sizeof(T) / lanes;

    struct Lane {
        std::span<T> x;
        std::span<T> scratch;
        int tag = 0;
        std::size_t next_chunk = 0;
        std::size_t step = 0;
        bool started = false;
        bool idle = false;
        Request sent;
        Request received;
    };

    void take_next_chunk(Lane& lane) {
        const std::size_t begin = lane.next_chunk * chunk;
        lane.idle = begin >= x_.size() || steps_.empty();
        if (lane.idle) { return; }
        lane.x = x_.subspan(begin, std::min(chunk, x_.size() - begin));
        lane.step = 0;
        lane.next_chunk += lanes;
    }

    /// Whether the lane's step ended.
    bool advance_step(Lane& lane) {
        const auto [action, peer] = steps_[lane.step];
        const auto arriving = action == Action::receive_replace ? lane.x : lane.scratch.first(lane.x.size());
        if (!lane.started) {
            if (action != Action::send) {
                lane.received = comm_.start_receive(peer, lane.tag, std::as_writable_bytes(arriving));
            }
            if (action == Action::send || action == Action::exchange) {
                lane.sent = comm_.start_send(peer, lane.tag, std::as_bytes(lane.x));
            }
            lane.started = true;
        }
        if (!lane.received.test() || !lane.sent.test()) { return false; }
        if (action == Action::receive_add || (action == Action::exchange && peer > comm_.rank())) {
            std::ranges::transform(lane.x, arriving, lane.x.begin(), Combine{});
        } else if (action == Action::exchange) {
            std::ranges::transform(arriving, lane.x, lane.x.begin(), Combine{});
        }
        lane.started = false;
        return true;
    }

    const Communicator& comm_;
    const std::vector<ReductionStep>& steps_;
    std::span<T> x_;
    ScratchPool::Block scratch_;
    std::array<Lane, lanes> lanes_;
};

}  // namespace loglog
