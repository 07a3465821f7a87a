#include "distributed/collectives/single_group.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "engine/base/error.hpp"

namespace loglog {
namespace {

template <class T>
void copy(std::span<const T> from, std::span<T> to) {
    if (!from.empty() && from.data() != to.data()) { std::memmove(to.data(), from.data(), from.size_bytes()); }
}

void deliver(std::span<const std::byte> from, std::span<std::byte> to, int tag) {
    if (from.size() > to.size()) {
        throw Error{"a message of " + std::to_string(from.size()) + " bytes to itself (tag " + std::to_string(tag) +
                    ") does not fit into the " + std::to_string(to.size()) + " bytes it is received in"};
    }
    copy(from, to);
}

void check_peer(int peer) {
    if (peer != 0) { throw Error{"a group of one rank has no rank " + std::to_string(peer)}; }
}

}  // namespace

void SingleGroup::all_gather(std::span<const float> mine, std::span<float> all) { copy(mine, all); }
void SingleGroup::all_gather(std::span<const double> mine, std::span<double> all) { copy(mine, all); }
void SingleGroup::reduce_scatter_sum(std::span<float> all, std::span<float> mine) {
    copy(std::span<const float>{all}, mine);
}
void SingleGroup::reduce_scatter_sum(std::span<double> all, std::span<double> mine) {
    copy(std::span<const double>{all}, mine);
}

Transfer SingleGroup::start_send(int to, int tag, std::span<const std::byte> message) {
    check_peer(to);
    const auto receiver = std::ranges::find(expected_, tag, &Expected::tag);
    if (receiver == expected_.end()) {
        sent_.push_back({tag, {message.begin(), message.end()}});
        return {};
    }
    deliver(message, receiver->message, tag);
    expected_.erase(receiver);
    return {};
}

Transfer SingleGroup::start_receive(int from, int tag, std::span<std::byte> message) {
    check_peer(from);
    const auto arrived = std::ranges::find(sent_, tag, &Sent::tag);
    if (arrived != sent_.end()) {
        deliver(arrived->message, message, tag);
        sent_.erase(arrived);
        return {};
    }
    last_ = Transfer{static_cast<std::int64_t>(last_) + 1};
    expected_.push_back({last_, tag, message});
    return last_;
}

void SingleGroup::wait(Transfer transfer) {
    const auto missing = std::ranges::find(expected_, transfer, &Expected::transfer);
    if (missing == expected_.end()) { return; }
    throw Error{"a message that this rank expects from itself (tag " + std::to_string(missing->tag) +
                ") was never sent: waiting for it would never end"};
}

}  // namespace loglog
