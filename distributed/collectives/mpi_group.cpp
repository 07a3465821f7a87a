#include "distributed/collectives/mpi_group.hpp"

#include <algorithm>
#include <cstring>
#include <functional>

#include "distributed/collectives/reduce_scatter.hpp"
#include "distributed/collectives/single_group.hpp"
#include "distributed/collectives/stepwise_reduction.hpp"
#include "engine/base/error.hpp"

namespace loglog {
namespace {

// Open MPI is fastest with pieces that stay in cache, and slows down to a quarter with 64 MiB.
constexpr std::size_t library_chunk_bytes = 1 << 20;
// A message's length is an int.
constexpr std::size_t message_chunk_bytes = 1 << 30;

/// Calls piece(span) for neighbouring pieces of x.
template <class T, class Piece>
void for_each_piece(std::span<T> x, std::size_t piece_bytes, Piece&& piece) {
    const std::size_t step = piece_bytes / sizeof(T);
    for (std::size_t begin = 0; begin < x.size(); begin += step) {
        piece(x.subspan(begin, std::min(step, x.size() - begin)));
    }
}

/// NaN if either is: a norm that is not finite must not pass unseen.
struct Larger {
    template <class T>
    T operator()(T a, T b) const noexcept {
        return a > b || a != a ? a : b;
    }
};

class Requests final : public Operation {
  public:
    Requests(const Description& description, std::vector<Request> requests)
        : Operation{description}, requests_{std::move(requests)} {}

    bool advance() override {
        while (ended_ < requests_.size() && requests_[ended_].test()) { ++ended_; }
        return ended_ == requests_.size();
    }

  private:
    std::vector<Request> requests_;
    std::size_t ended_ = 0;
};

}  // namespace

MpiGroup::MpiGroup(Communicator comm, Reduction reduction, const char* name, std::shared_ptr<Transfers> transfers)
    : comm_{std::move(comm)},
      reduction_{reduction},
      name_{name},
      transfers_{std::move(transfers)},
      all_reduce_steps_{all_reduce_steps(comm_.rank(), comm_.size())} {
    for (int root = 0; root < comm_.size(); ++root) {
        reduce_steps_.push_back(reduce_steps(comm_.rank(), comm_.size(), root));
    }
}

// Members start the same operations in the same order, so that they agree on the tags without saying them.
int MpiGroup::take_tags(int count) noexcept {
    if (next_tag_ + count > Communicator::tag_limit) { next_tag_ = tag_limit; }
    const int first = next_tag_;
    next_tag_ += count;
    return first;
}

void MpiGroup::count_ring(int passes, std::size_t bytes) noexcept {
    bytes_sent_ += static_cast<double>(passes) * (size() - 1) / size() * static_cast<double>(bytes);
}

Transfer MpiGroup::add_requests(const char* what, std::size_t bytes, std::vector<Request> requests) {
    return transfers_->add(std::make_unique<Requests>(describe(what, bytes), std::move(requests)));
}

template <class T>
void MpiGroup::library_sum(std::span<T> x) {
    const OperationLog::Scope scope{transfers_->log(), "all-reduce", name_, static_cast<std::int64_t>(x.size_bytes())};
    for_each_piece(x, library_chunk_bytes, [&](std::span<T> piece) { comm_.all_reduce_sum(piece); });
    count_ring(2, x.size_bytes());
}

template <class T>
Transfer MpiGroup::start_library_sum(std::span<T> x) {
    std::vector<Request> requests;
    for_each_piece(x, library_chunk_bytes,
                   [&](std::span<T> piece) { requests.push_back(comm_.start_all_reduce_sum(piece)); });
    count_ring(2, x.size_bytes());
    return add_requests("all-reduce", x.size_bytes(), std::move(requests));
}

template <class T, class Combine>
Transfer MpiGroup::start_stepwise(const char* what, std::span<T> x, const std::vector<ReductionStep>& steps) {
    using Stepwise = StepwiseReduction<T, Combine>;
    const typename Stepwise::Plan plan{
        .comm = &comm_, .steps = &steps, .first_tag = take_tags(static_cast<int>(Stepwise::lanes)), .pool = pool_};
    const auto sends = std::ranges::count_if(steps, [](const ReductionStep& step) {
        return step.action == ReductionStep::Action::send || step.action == ReductionStep::Action::exchange;
    });
    bytes_sent_ += static_cast<double>(sends) * static_cast<double>(x.size_bytes());
    return transfers_->add(std::make_unique<Stepwise>(describe(what, x.size_bytes()), plan, x));
}

void MpiGroup::all_reduce_sum(std::span<float> x) {
    if (reduction_ == Reduction::fast) { return library_sum(x); }
    wait(start_all_reduce_sum(x));
}

void MpiGroup::all_reduce_sum(std::span<double> x) {
    if (reduction_ == Reduction::fast) { return library_sum(x); }
    wait(start_all_reduce_sum(x));
}

void MpiGroup::all_reduce_max(std::span<float> x) {
    wait(start_stepwise<float, Larger>("largest value", x, all_reduce_steps_));
}

void MpiGroup::all_reduce_max(std::span<double> x) {
    wait(start_stepwise<double, Larger>("largest value", x, all_reduce_steps_));
}

Transfer MpiGroup::start_all_reduce_sum(std::span<float> x) {
    if (reduction_ == Reduction::fast) { return start_library_sum(x); }
    return start_stepwise<float, std::plus<float>>("all-reduce", x, all_reduce_steps_);
}

Transfer MpiGroup::start_all_reduce_sum(std::span<double> x) {
    if (reduction_ == Reduction::fast) { return start_library_sum(x); }
    return start_stepwise<double, std::plus<double>>("all-reduce", x, all_reduce_steps_);
}

Transfer MpiGroup::start_reduce_sum(std::span<float> x, int root) {
    check_message("reduce", root, 0);
    if (reduction_ == Reduction::tree) {
        return start_stepwise<float, std::plus<float>>("reduction", x, reduce_steps_[static_cast<std::size_t>(root)]);
    }
    std::vector<Request> requests;
    for_each_piece(x, library_chunk_bytes,
                   [&](std::span<float> piece) { requests.push_back(comm_.start_reduce_sum(piece, root)); });
    count_ring(1, x.size_bytes());
    return add_requests("reduction", x.size_bytes(), std::move(requests));
}

Transfer MpiGroup::start_broadcast(std::span<float> x, int root) {
    check_message("broadcast", root, 0);
    std::vector<Request> requests;
    for_each_piece(x, library_chunk_bytes, [&](std::span<float> piece) {
        requests.push_back(comm_.start_broadcast(std::as_writable_bytes(piece), root));
    });
    count_ring(1, x.size_bytes());
    return add_requests("broadcast", x.size_bytes(), std::move(requests));
}

template <class T>
void MpiGroup::gather(std::span<const T> mine, std::span<T> all) {
    check_parts("gather", all.size(), mine.size());
    const auto part = [&](int owner) {
        return all.subspan(static_cast<std::size_t>(owner) * mine.size(), mine.size());
    };
    const int tag = take_tags(1);
    std::vector<Request> requests;
    for (int distance = 1; distance < size(); ++distance) {
        const int from = (rank() + size() - distance) % size();
        const int to = (rank() + distance) % size();
        for_each_piece(part(from), message_chunk_bytes, [&](std::span<T> piece) {
            requests.push_back(comm_.start_receive(from, tag, std::as_writable_bytes(piece)));
        });
        for_each_piece(mine, message_chunk_bytes, [&](std::span<const T> piece) {
            requests.push_back(comm_.start_send(to, tag, std::as_bytes(piece)));
        });
    }
    const auto own = part(rank());
    if (!mine.empty() && own.data() != mine.data()) { std::memcpy(own.data(), mine.data(), mine.size_bytes()); }
    count_ring(1, all.size_bytes());
    wait(add_requests("gather", all.size_bytes(), std::move(requests)));
}

void MpiGroup::all_gather(std::span<const float> mine, std::span<float> all) { gather(mine, all); }
void MpiGroup::all_gather(std::span<const double> mine, std::span<double> all) { gather(mine, all); }

template <class T>
void MpiGroup::reduce_scatter(std::span<T> all, std::span<T> mine) {
    check_parts("reduce and scatter", all.size(), mine.size());
    const typename ReduceScatter<T>::Plan plan{.comm = &comm_, .tag = take_tags(1), .pool = pool_};
    count_ring(1, all.size_bytes());
    wait(transfers_->add(
        std::make_unique<ReduceScatter<T>>(describe("reduce-scatter", all.size_bytes()), plan, all, mine)));
}

void MpiGroup::reduce_scatter_sum(std::span<float> all, std::span<float> mine) { reduce_scatter(all, mine); }
void MpiGroup::reduce_scatter_sum(std::span<double> all, std::span<double> mine) { reduce_scatter(all, mine); }

Transfer MpiGroup::start_send(int to, int tag, std::span<const std::byte> message) {
    check_message("send", to, tag);
    std::vector<Request> requests;
    if (message.empty()) { requests.push_back(comm_.start_send(to, tag, message)); }
    for_each_piece(message, message_chunk_bytes,
                   [&](auto piece) { requests.push_back(comm_.start_send(to, tag, piece)); });
    if (to != rank()) { bytes_sent_ += static_cast<double>(message.size()); }
    return add_requests("send", message.size(), std::move(requests));
}

Transfer MpiGroup::start_receive(int from, int tag, std::span<std::byte> message) {
    check_message("receive", from, tag);
    std::vector<Request> requests;
    if (message.empty()) { requests.push_back(comm_.start_receive(from, tag, message)); }
    for_each_piece(message, message_chunk_bytes,
                   [&](auto piece) { requests.push_back(comm_.start_receive(from, tag, piece)); });
    return add_requests("receive", message.size(), std::move(requests));
}

void MpiGroup::check_parts(const char* what, std::size_t all, std::size_t part) const {
    if (all == part * static_cast<std::size_t>(size())) { return; }
    throw Error{std::string{"cannot "} + what + " in the " + name_ + " group: " + std::to_string(all) +
                " elements are not " + std::to_string(size()) + " parts of " + std::to_string(part)};
}

void MpiGroup::check_message(const char* what, int peer, int tag) const {
    if (peer >= 0 && peer < size() && tag >= 0 && tag < tag_limit) { return; }
    throw Error{std::string{"cannot "} + what + " in the " + name_ + " group: rank " + std::to_string(peer) + " of " +
                std::to_string(size()) + ", tag " + std::to_string(tag) + " of " + std::to_string(tag_limit)};
}

std::unique_ptr<MeteredGroup> make_group(Communicator comm, Reduction reduction, const char* name, OperationLog* log) {
    return make_group(std::move(comm), reduction, name, std::make_shared<Transfers>(log));
}

std::unique_ptr<MeteredGroup> make_group(Communicator comm, Reduction reduction, const char* name,
                                         std::shared_ptr<Transfers> transfers) {
    if (comm.size() == 1) { return std::make_unique<SingleGroup>(); }
    return std::make_unique<MpiGroup>(std::move(comm), reduction, name, std::move(transfers));
}

}  // namespace loglog
