#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "distributed/collectives/reduction_steps.hpp"
#include "distributed/collectives/scratch.hpp"
#include "distributed/collectives/transfers.hpp"
#include "distributed/mpi/communicator.hpp"

namespace loglog {

/// Every rank sends the others their part of its values, chunk by chunk, and adds up what arrives of its own part by
/// the tree of joins(). Sends no more than a ring, and the order of summation is that of Reduction::tree.
template <class T>
class ReduceScatter final : public Operation {
  public:
    struct Plan {
        const Communicator* comm;
        int tag;
        std::shared_ptr<ScratchPool> pool;
    };

    ReduceScatter(const Description& description, const Plan& plan, std::span<T> all, std::span<T> mine)
        : Operation{description},
          comm_{*plan.comm},
          tag_{plan.tag},
          tree_{joins(plan.comm->size())},
          all_{all},
          mine_{mine},
          scratch_{plan.pool},
          chunk_{scratch_.template as<T>().size() / static_cast<std::size_t>(comm_.size())} {}

    bool advance() override {
        while (begin_ < mine_.size()) {
            if (requests_.empty()) { start_chunk(); }
            if (!std::ranges::all_of(requests_, [](Request& request) { return request.test(); })) { return false; }
            requests_.clear();
            add_chunk();
            begin_ += chunk_;
        }
        return true;
    }

  private:
    std::size_t length() const noexcept { return std::min(chunk_, mine_.size() - begin_); }
    std::span<T> part(int rank) const {
        return all_.subspan(static_cast<std::size_t>(rank) * mine_.size() + begin_, length());
    }
    /// What rank `from` contributes to this rank's part.
    std::span<T> contribution(int from) {
        if (from == comm_.rank()) { return part(from); }
        return scratch_.template as<T>().subspan(static_cast<std::size_t>(from) * chunk_, length());
    }

    void start_chunk() {
        for (int distance = 1; distance < comm_.size(); ++distance) {
            const int from = (comm_.rank() + comm_.size() - distance) % comm_.size();
            const int to = (comm_.rank() + distance) % comm_.size();
            requests_.push_back(comm_.start_receive(from, tag_, std::as_writable_bytes(contribution(from))));
            requests_.push_back(comm_.start_send(to, tag_, std::as_bytes(part(to))));
        }
    }

    void add_chunk() {
        for (const auto [left, right] : tree_) {
            const auto sum = contribution(left);
            std::ranges::transform(sum, contribution(right), sum.begin(), std::plus<T>{});
        }
        std::ranges::copy(contribution(0), mine_.begin() + static_cast<std::ptrdiff_t>(begin_));
    }

    const Communicator& comm_;
    int tag_;
    std::vector<Join> tree_;
    std::span<T> all_;
    std::span<T> mine_;
    ScratchPool::Block scratch_;
    std::size_t chunk_;
    std::size_t begin_ = 0;
    std::vector<Request> requests_;
};

}  // namespace loglog
