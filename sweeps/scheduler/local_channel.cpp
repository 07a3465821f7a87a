#include "sweeps/scheduler/local_channel.hpp"

namespace loglog {

LocalChannels::LocalChannels(int workers) : coordinator_{*this} {
    for (int i = 0; i < workers; ++i) {
        to_workers_.push_back(std::make_unique<Mailbox<CoordinatorMessage>>());
        workers_.emplace_back(*this, i);
    }
}

void LocalChannels::Worker::send(const WorkerMessage& message) { channels_->to_coordinator_.put({index_, message}); }

std::optional<CoordinatorMessage> LocalChannels::Worker::receive(std::chrono::milliseconds wait) {
    return channels_->to_workers_[static_cast<std::size_t>(index_)]->take(wait);
}

void LocalChannels::Coordinator::send(int worker, const CoordinatorMessage& message) {
    channels_->to_workers_.at(static_cast<std::size_t>(worker))->put(message);
}

std::optional<CoordinatorChannel::Arrival> LocalChannels::Coordinator::receive(std::chrono::milliseconds wait) {
    return channels_->to_coordinator_.take(wait);
}

}  // namespace loglog
